/* SPDX-License-Identifier: Apache-2.0
 * Positions drawn at random lie outside, inside or on one another. */
CASE(MaxUnpool, "f32[1,1,1,1] i64[1,1,1,1]@0:3", "kernel_shape=2,2 strides=2,2")
CASE(MaxUnpool, "f32[2,3,4,5] i64[2,3,4,5]@-5:500", "kernel_shape=2,2 strides=2,2")
CASE(MaxUnpool, "f32[1,2,3,3] i64[1,2,3,3]@0:97", "kernel_shape=3,3 strides=2,2")
CASE(MaxUnpool, "f32[1,2,3,3] i64[1,2,3,3]@0:49", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1")
CASE(MaxUnpool, "f32[1,2,9] i64[1,2,9]@0:35", "kernel_shape=2 strides=2")
CASE(MaxUnpool, "f32[1,2,3,2,3] i64[1,2,3,2,3]@0:287", "kernel_shape=2,2,2 strides=2,2,2")
CASE(MaxUnpool, "f32[1,1,2,2] i64[1,1,2,2]@0:15 {1,1,5,5}", "kernel_shape=2,2 strides=2,2")
CASE(MaxUnpool, "f32[1,2,2,3] i64[1,2,2,3]@0:60 {1,2,3,7}", "kernel_shape=2,2 strides=2,2")
CASE(MaxUnpool, "f32[1,1,4,4] i64[1,1,4,4]@0:24", "kernel_shape=2,2")
CASE(MaxUnpool, "f64[1,1,4,4] i64[1,1,4,4]@0:24", "kernel_shape=2,2")
CASE(MaxUnpool, "f16[1,1,4,4] i64[1,1,4,4]@0:24", "kernel_shape=2,2")

REJECT(MaxUnpool, "f32[1,1,4,4] i64[1,1,4,3]", "kernel_shape=2,2")
REJECT(MaxUnpool, "f32[1,1,4,4] i64[1,1,4,4]", "kernel_shape=2")
REJECT(MaxUnpool, "f32[1,1,4,4] i64[1,1,4,4]", "")
REJECT(MaxUnpool, "f32[1,1,4,4] i64[1,1,4,4] {1,2,8,8}", "kernel_shape=2,2 strides=2,2")
REJECT(MaxUnpool, "f32[1,1,1,1] i64[1,1,1,1]", "kernel_shape=2,2 pads=1,1,1,1")
