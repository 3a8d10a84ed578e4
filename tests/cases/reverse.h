/* SPDX-License-Identifier: Apache-2.0 */
CASE(ReverseSequence, "f32[5,3] i64[3]@0:5", "")
CASE(ReverseSequence, "f32[3,5] i64[3]@0:5", "batch_axis=0 time_axis=1")
CASE(ReverseSequence, "i8[4,3,2,2] i64[3]@1:4", "")
CASE(ReverseSequence, "f64[3,4,7] i64[3]@-2:9", "batch_axis=0 time_axis=1")
CASE(ReverseSequence, "f32[0,3] i64[3]", "")
CASE(ReverseSequence, "f32[17,5,3] const i64[5]@1:17", "")
CASE(ReverseSequence, "i32[4,9,2] i64[4]@-3:12", "batch_axis=0 time_axis=1")

REJECT(ReverseSequence, "f32[5] i64[5]", "")
REJECT(ReverseSequence, "f32[5,3] i64[5]", "")
REJECT(ReverseSequence, "f32[5,5] i64[5]", "batch_axis=0")
REJECT(ReverseSequence, "f32[5,5] i32[5]", "")
