/* SPDX-License-Identifier: Apache-2.0
 * Weights are small enough for errors not to grow from step to step. */
CASE(LSTM, "f32[1,1,1] const f32[1,4,1] const f32[1,4,1]", "")
CASE(LSTM, "f32[5,1,3] const f32[1,12,3] const f32[1,12,3] const f32[1,24]", "hidden_size=3 outputs=3")
CASE(LSTM, "f32[4,2,7] const f32[1,16,7] const f32[1,16,4] const f32[1,32]", "outputs=3 direction=reverse")
CASE(LSTM, "f32[4,3,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40]", "outputs=3 direction=bidirectional")
CASE(LSTM, "f32[3,2,16] const f32[2,64,16] const f32[2,64,16] const f32[2,128] - f32[2,2,16] f32[2,2,16] const f32[2,48]",
     "outputs=3 direction=bidirectional")
CASE(LSTM, "f32[3,2,5] const f32[1,68,5] const f32[1,68,17] const f32[1,136] - - f32[1,2,17]", "outputs=3")
CASE(LSTM, "f32[3,2,5] const f32[1,68,5] const f32[1,68,17] - - f32[1,2,17]", "outputs=3 skip=1")
CASE(LSTM, "f32[3,2,5] const f32[1,68,5] const f32[1,68,17] - - const f32[1,2,17]", "outputs=3 skip=11")
CASE(LSTM, "f32[3,1,5] const f32[1,68,5] const f32[1,68,17]", "outputs=2")
CASE(LSTM, "f32[3,1,5] const f32[1,68,5] const f32[1,68,17]", "outputs=3 skip=10")
CASE(LSTM, "f32[2,3,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40] - f32[2,2,5] f32[2,2,5]",
     "outputs=3 direction=bidirectional layout=1")
CASE(LSTM, "f32[6,3,6] const f32[1,20,6]@-3:3 const f32[1,20,5] const f32[1,40] - f32[1,3,5] f32[1,3,5] const f32[1,15]",
     "outputs=3 clip=0.4")
CASE(LSTM, "f32[4,2,6] const f32[1,20,6] const f32[1,20,5] const f32[1,40]", "outputs=3 input_forget=1")
CASE(LSTM, "f32[6,4,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40] i32[4]@0:6 f32[2,4,5] f32[2,4,5]",
     "outputs=3 direction=bidirectional")
CASE(LSTM, "f32[6,2,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40] const i32[2]@6:6",
     "outputs=3 direction=bidirectional")
CASE(LSTM, "f32[4,2,6] const f32[1,20,6] const f32[1,20,5] const f32[1,40]",
     "outputs=3 activations=HardSigmoid,Relu,Softsign activation_alpha=0.3 activation_beta=0.6")
CASE(LSTM, "f32[4,2,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40]",
     "outputs=3 direction=bidirectional activations=Sigmoid,ScaledTanh,Affine,HardSigmoid,Elu,LeakyRelu "
     "activation_alpha=0.9,0.8,0.25,0.7,0.1 activation_beta=0.5,0.1,0.4")
CASE(LSTM, "f32[5,1,64] const f32[1,256,64]@-0.2:0.2 const f32[1,256,64]@-0.2:0.2 const f32[1,512]", "outputs=3")
CASE(LSTM, "f32[200,1,32] const f32[2,512,32]@-0.2:0.2 const f32[2,512,128]@-0.1:0.1 const f32[2,1024]",
     "outputs=3 direction=bidirectional")
/* one step */
CASE(LSTM, "f32[1,2,9] const f32[1,192,9] const f32[1,192,48]@-0.2:0.2 const f32[1,384] - f32[1,2,48] f32[1,2,48] const f32[1,144]",
     "outputs=3")
CASE(LSTM, "f32[3,1,6] const f32[1,160,6] const f32[1,160,40]@-0.2:0.2 - - f32[3,1,40]", "outputs=3 layout=1 clip=0.7")
CASE(LSTM, "f32[1,3,6] const f32[1,160,6] const f32[1,160,40]@-0.2:0.2 const f32[1,320]", "outputs=3 input_forget=1")
CASE(GRU, "f32[1,3,10] const f32[1,150,10] const f32[1,150,50]@-0.2:0.2 const f32[1,300] - f32[1,3,50]",
     "outputs=2 linear_before_reset=1")
CASE(RNN, "f32[1,7,10] const f32[1,51,10] f32[1,51,51]@-0.2:0.2 const f32[1,102] - f32[1,7,51]", "outputs=2 direction=reverse")
CASE(LSTM, "f32[9000,1,1] const f32[2,8,1] const f32[2,8,2]@-0.5:0.5", "outputs=3 direction=bidirectional") /* in parts */
CASE(LSTM, "f32[300,1,3] const f32[1,12,3] const f32[1,12,3]@-0.5:0.5", "outputs=3 direction=reverse")
CASE(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] f32[1,40]", "outputs=3")
CASE(LSTM, "f64[2,1,8] f64[1,20,8] f64[1,20,5] f64[1,40]", "")
CASE(LSTM, "f32[0,2,8] f32[1,20,8] f32[1,20,5] f32[1,40] - f32[1,2,5] f32[1,2,5]", "outputs=3")
CASE(LSTM, "f32[2,1,0] f32[1,20,0] f32[1,20,5] f32[1,40]", "outputs=3")/* sequences of different lengths */
CASE(LSTM, "f32[7,5,6] const f32[1,20,6] const f32[1,20,5] const f32[1,40] i32[5]@-3:12 f32[1,5,5]", "outputs=3 direction=reverse")
CASE(LSTM, "f32[7,5,6] const f32[1,20,6] const f32[1,20,5] const f32[1,40] const i32[5]@0:7 - f32[1,5,5]", "outputs=3")
CASE(LSTM, "f32[3,7,6] const f32[2,20,6] const f32[2,20,5] const f32[2,40] i32[3]@0:7 f32[3,2,5] f32[3,2,5]",
     "outputs=3 layout=1 direction=bidirectional")
CASE(LSTM, "f32[9000,2,1] const f32[1,4,1] const f32[1,4,1]@-0.5:0.5 - i32[2]@4000:9000", "outputs=3 direction=reverse")
CASE(GRU, "f32[9000,2,1] const f32[1,3,1] const f32[1,3,1]@-0.5:0.5 - i32[2]@100:9000 f32[1,2,1]", "outputs=2")
CASE(RNN, "f32[6,4,6] const f32[2,5,6] const f32[2,5,5] - i32[4]@0:6", "outputs=2 skip=1 direction=bidirectional")
/* weights computed at run time */
CASE(LSTM, "f32[3,2,8] f32[2,20,8] f32[2,20,5] f32[2,40] - f32[2,2,5] f32[2,2,5] f32[2,15]",
     "outputs=3 direction=bidirectional")
CASE(LSTM, "f32[3,2,5] f32[1,16,5] const f32[1,16,4] const f32[1,32]", "")
CASE(GRU, "f32[4,3,6] f32[2,15,6] f32[2,15,5] f32[2,30] - f32[2,3,5]",
     "outputs=2 direction=bidirectional linear_before_reset=1")
CASE(GRU, "f32[4,3,7] const f32[1,12,7] f32[1,12,4]", "")
CASE(RNN, "f32[4,2,7] f32[1,5,7] f32[1,5,5]@-0.3:0.3", "outputs=2 direction=reverse")
CASE(RNN, "f32[4,2,7] const f32[1,5,7] const f32[1,5,5]@-0.3:0.3 f32[1,10]", "outputs=2")

REJECT(LSTM, "f32[2,8] f32[1,20,8] f32[1,20,5]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,7] f32[1,20,5]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,15,5]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "hidden_size=4")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "direction=bidirectional")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] f32[1,20]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] - i64[1]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] - i32[2]", "")
REJECT(LSTM, "f32[2,3,8] f32[1,20,8] f32[1,20,5] - - f32[1,3,5]", "layout=1")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] - - - f32[1,2,5]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5] - - - - f32[1,20]", "")
REJECT(LSTM, "f32[2,1,8] f16[1,20,8] f32[1,20,5]", "")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "activations=Sigmoid,Tanh")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "clip=-1")
REJECT(LSTM, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "outputs=4")

CASE(GRU, "f32[1,1,1] const f32[1,3,1] const f32[1,3,1]", "")
CASE(GRU, "f32[5,1,3] const f32[1,9,3] const f32[1,9,3] const f32[1,18]", "hidden_size=3 outputs=2")
CASE(GRU, "f32[5,1,3] const f32[1,9,3] const f32[1,9,3] const f32[1,18]", "outputs=2 linear_before_reset=1")
CASE(GRU, "f32[4,2,7] const f32[1,12,7] const f32[1,12,4] const f32[1,24]", "outputs=2 direction=reverse")
CASE(GRU, "f32[4,3,6] const f32[2,15,6] const f32[2,15,5] const f32[2,30] - f32[2,3,5]",
     "outputs=2 direction=bidirectional")
CASE(GRU, "f32[4,3,6] const f32[2,15,6] const f32[2,15,5] const f32[2,30] - f32[2,3,5]",
     "outputs=2 direction=bidirectional linear_before_reset=1")
CASE(GRU, "f32[3,4,6] const f32[2,15,6] const f32[2,15,5] const f32[2,30] - f32[3,2,5]",
     "outputs=2 direction=bidirectional linear_before_reset=1 layout=1")
CASE(GRU, "f32[3,2,5] const f32[1,48,5] const f32[1,48,16]", "outputs=2 linear_before_reset=1")
CASE(GRU, "f32[3,2,5] const f32[1,51,5] const f32[1,51,17]", "outputs=2 skip=1")
CASE(GRU, "f32[3,2,5] const f32[1,51,5]@-3:3 const f32[1,51,17]@-0.5:0.5", "outputs=2 clip=0.5")
CASE(GRU, "f32[6,4,6] const f32[2,15,6] const f32[2,15,5] const f32[2,30] i32[4]@0:6 f32[2,4,5]",
     "outputs=2 direction=bidirectional")
CASE(GRU, "f32[6,2,6] const f32[2,15,6] const f32[2,15,5] const f32[2,30]",
     "outputs=2 direction=bidirectional activations=HardSigmoid,Softsign,Sigmoid,Relu linear_before_reset=1")
CASE(GRU, "f32[5,1,64] const f32[1,192,64]@-0.2:0.2 const f32[1,192,64]@-0.2:0.2 const f32[1,384]", "outputs=2")
CASE(GRU, "f32[40,1,32] const f32[2,384,32]@-0.2:0.2 const f32[2,384,128]@-0.1:0.1 const f32[2,768]",
     "outputs=2 direction=bidirectional linear_before_reset=1")
CASE(GRU, "f32[9000,1,1] const f32[1,3,1] const f32[1,3,1]@-0.5:0.5", "skip=1 outputs=2 direction=reverse")
CASE(GRU, "f32[2,1,8] f32[1,15,8] f32[1,15,5] f32[1,30]", "outputs=2")
CASE(GRU, "f16[2,1,8] f16[1,15,8] f16[1,15,5] f16[1,30]", "")
REJECT(GRU, "f32[2,1,8] f32[1,20,8] f32[1,20,5]", "")
REJECT(GRU, "f32[2,1,8] f32[1,15,8] f32[1,15,5] - - - f32[1,1,5]", "")
REJECT(GRU, "f32[2,1,8] f32[1,15,8] f32[1,15,5]", "activations=Sigmoid,Tanh,Tanh")

CASE(RNN, "f32[1,1,1] const f32[1,1,1] const f32[1,1,1]", "")
CASE(RNN, "f32[5,1,3] const f32[1,3,3] const f32[1,3,3] const f32[1,6]", "hidden_size=3 outputs=2")
CASE(RNN, "f32[4,2,7] const f32[1,4,7] const f32[1,4,4] const f32[1,8] - f32[1,2,4]", "outputs=2 direction=reverse")
CASE(RNN, "f32[4,3,6] const f32[2,5,6] const f32[2,5,5] const f32[2,10] - f32[2,3,5]",
     "outputs=2 direction=bidirectional activations=Relu,Tanh")
CASE(RNN, "f32[3,4,6] const f32[2,16,6] const f32[2,16,16]@-0.3:0.3 const f32[2,32] - f32[3,2,16]",
     "outputs=2 direction=bidirectional layout=1")
CASE(RNN, "f32[3,2,5] const f32[1,17,5] const f32[1,17,17]@-0.3:0.3", "outputs=2 skip=1 clip=0.5")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=Affine activation_alpha=0.5 activation_beta=0.2")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=LeakyRelu")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=ThresholdedRelu activation_alpha=-100")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=ScaledTanh activation_alpha=0.7")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=HardSigmoid")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=Elu activation_alpha=0.5")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=Softsign")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=Softplus")
CASE(LSTM, "f32[4,2,5] const f32[1,16,5] const f32[1,16,4]@-0.3:0.3", "activations=Sigmoid,Elu,Softplus activation_alpha=0.5")
CASE(RNN, "f32[4,2,5] const f32[1,4,5] const f32[1,4,4]@-0.3:0.3", "activations=Sigmoid")
CASE(RNN, "f32[6,4,6] const f32[2,5,6] const f32[2,5,5] const f32[2,10] const i32[4]@0:6 f32[2,4,5]",
     "outputs=2 direction=bidirectional")
CASE(RNN, "f32[30,1,16] const f32[2,128,16]@-0.2:0.2 const f32[2,128,128]@-0.08:0.08 const f32[2,256]",
     "outputs=2 direction=bidirectional")
CASE(LSTM, "f32[3,1,9] const f32[1,800,9]@-0.2:0.2 const f32[1,800,200]@-0.08:0.08 const f32[1,1600]", "outputs=3")
CASE(GRU, "f32[2,2,5] const f32[1,750,5]@-0.2:0.2 const f32[1,750,250]@-0.08:0.08", "outputs=2")
REJECT(RNN, "f32[2,1,8] f32[1,5,8] f32[1,5,5] f32[1,5]", "")
