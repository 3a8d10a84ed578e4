/* SPDX-License-Identifier: Apache-2.0 */
CASE(Where, "bool[37] f32[37] f32[37]", "")
CASE(Where, "bool[] f32[] f32[]", "")
CASE(Where, "bool[5,1] f32[7] f32[]", "")
CASE(Where, "bool[1] f32[3,1] f32[1,4]", "")
CASE(Where, "bool[2,3,4] i64[4] i64[3,1]", "")
CASE(Where, "bool[9] u8[9] u8[9]", "")
CASE(Where, "bool[9] bool[9] bool[1]", "")
CASE(Where, "const bool[9] f64[9] f64[9]", "")
CASE(Where, "bool[0] f16[1] f16[]", "")

REJECT(Where, "u8[3] f32[3] f32[3]", "")
REJECT(Where, "bool[3] f32[3] f64[3]", "")
REJECT(Where, "bool[3] f32[4] f32[1]", "")
