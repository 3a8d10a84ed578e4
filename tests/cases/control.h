/* SPDX-License-Identifier: Apache-2.0
 * What they compute is tested with whole graphs (stages_test.c). */
REJECT(If, "bool[2]", "")
REJECT(If, "f32[]", "")
REJECT(Loop, "i64[2]", "")
REJECT(Loop, "f32[]", "")
REJECT(Loop, "i64[] i64[]", "")
REJECT(Scan, "f32[]", "")
REJECT(Scan, "f32[3,2] f32[4,2]", "num_scan_inputs=2")
REJECT(Scan, "f32[3,2]", "scan_input_axes=2")
REJECT(Scan, "f32[3,2]", "scan_input_axes=9")
REJECT(Scan, "f32[3,2]", "scan_output_directions=2")
