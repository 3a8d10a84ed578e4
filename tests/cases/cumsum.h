/* SPDX-License-Identifier: Apache-2.0 */
CASE(CumSum, "f32[1031] {0}", "")
CASE(CumSum, "f32[3,5,7] {1}", "exclusive=1")
CASE(CumSum, "f32[3,5,7] {-1}", "reverse=1")
CASE(CumSum, "f32[3,5,7] const i32[]@0:0", "reverse=1 exclusive=1")
CASE(CumSum, "f64[9] {0}", "")
CASE(CumSum, "f16[4,3] {0}", "")
CASE(CumSum, "i32[9] {0}", "exclusive=1")
CASE(CumSum, "u64[9,2] {0}", "reverse=1")
CASE(CumSum, "f32[0,3] {1}", "")

REJECT(CumSum, "f32[4] {1}", "")
REJECT(CumSum, "u8[4] {0}", "")
REJECT(CumSum, "f32[4] {0,0}", "")
