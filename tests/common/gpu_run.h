/* SPDX-License-Identifier: Apache-2.0
 * Runs one GPU kernel on the test machine's Vulkan device, for comparison with the reference. */
#ifndef TESTS_GPU_RUN_H
#define TESTS_GPU_RUN_H

#include "vulkan/vkr.h"

/* The first Vulkan device, opened once; NULL without a driver. Also keeps the driver loaded until the process
 * ends: its static data would count as leaked once it is unloaded, so tests that open devices of their own
 * call this first. Environment: VKI_TEST_VALIDATION=1 turns the validation layer on, VKI_TEST_STAGING=1
 * forces copies through staging memory; VKI_TEST_SPLIT=1 splits every dispatch that can be into parts. */
vkr_device *gpu_run_device(void);
int gpu_run_messages(void); /* of the validation layer so far */

/* The validation layer leaks and races a little, so tests that load it are left out under the sanitizers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GPU_RUN_CAN_VALIDATE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GPU_RUN_CAN_VALIDATE 0
#endif
#endif
#ifndef GPU_RUN_CAN_VALIDATE
#define GPU_RUN_CAN_VALIDATE 1
#endif

/* Runs node 0 of `g` (shapes concrete) with `kernel`. in[i] and out[i] are in host layout, by the node's
 * inputs and outputs; in[i] is not read for constants and absent inputs. All device memory holds NaN
 * before, and the run is done twice: VKI_E_INTERNAL if the two results differ or the validation layer
 * complains. VKI_E_UNSUPPORTED if the kernel does not fit, with its reason. */
vki_status gpu_run_node(vkr_device *dev, const gr_graph *g, const gpu_kernel *kernel, bool half,
                        const void *const *in, void *const *out, vki_error *err);
/* The same with every input that gpu_run_slices() names there in GPU_C4 too, as it would be after a kernel
 * that works in slices of channels. */
vki_status gpu_run_node_c4(vkr_device *dev, const gr_graph *g, const gpu_kernel *kernel, bool half,
                           const void *const *in, void *const *out, vki_error *err);
bool gpu_run_slices(const gr_graph *g, gr_id tensor); /* a tensor of floats that is no constant, rank >= 2 */

#endif
