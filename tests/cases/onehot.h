/* SPDX-License-Identifier: Apache-2.0 */
CASE(OneHot, "i64[7]@-6:6 {5} f32[2]", "")
CASE(OneHot, "i64[2,3]@0:3 {4} i32[2]", "axis=1")
CASE(OneHot, "i32[2,3]@0:3 %4 f64[2]", "axis=0")
CASE(OneHot, "f32[5]@0:4 {4} u8[2]", "axis=-2")
CASE(OneHot, "u8[]@0:3 const u8[]@4:4 bool[2]", "")
CASE(OneHot, "i64[0,3] {4} f32[2]", "")

REJECT(OneHot, "i64[3] {0} f32[2]", "")
REJECT(OneHot, "i64[3] {4,4} f32[2]", "")
REJECT(OneHot, "i64[3] {4} f32[3]", "")
REJECT(OneHot, "i64[3] {4} f32[2]", "axis=2")
