/* SPDX-License-Identifier: Apache-2.0
 * The Vulkan loader, opened at run time, and the instance. */
#include "vulkan/internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

void vkr_say(const vkr_log *log, vki_log_level level, const char *format, ...)
{
    if (!log->fn) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->fn(log->user, level, text);
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    (void)types, (void)severity;
    const vkr_log *log = user;
    if (log->fn) log->fn(log->user, VKI_LOG_ERROR, data->pMessage);
    return VK_FALSE;
}

static const VkDebugUtilsMessengerCreateInfoEXT messenger_info = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType =
        VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
    .pfnUserCallback = on_message,
};

/* dlsym gives an object pointer; ISO C has no cast from it to a function's. */
static PFN_vkGetInstanceProcAddr open_library(void **library, const char *path)
{
    const char *names[] = {path ? path : "libvulkan.so.1", path ? NULL : "libvulkan.so"};
    PFN_vkGetInstanceProcAddr get = NULL;
    for (size_t i = 0; i < VKB_COUNT(names) && !*library; i++)
        if (names[i]) *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    void *symbol = *library ? dlsym(*library, "vkGetInstanceProcAddr") : NULL;
    memcpy(&get, &symbol, sizeof get);
    return get;
}

static vki_status find_layer(const vkr_instance *instance, const vki_allocator *a, vki_error *err)
{
    uint32_t count = 0;
    VKR_TRY(instance->vk.EnumerateInstanceLayerProperties(&count, NULL),
            "vkEnumerateInstanceLayerProperties");
    VkLayerProperties *layers = vkb_calloc(a, count + 1, sizeof *layers);
    if (!layers) return vkb_nomem(err, (count + 1) * sizeof *layers);
    bool found = false;
    if (instance->vk.EnumerateInstanceLayerProperties(&count, layers) >= 0)
        for (uint32_t i = 0; i < count; i++) found |= strcmp(layers[i].layerName, validation_layer) == 0;
    vkb_free(a, layers);
    if (found) return VKI_OK;
    return vkb_fail(err, VKI_E_UNSUPPORTED,
                    "%s is not installed (Debian: apt install vulkan-validationlayers)", validation_layer);
}

static VkResult create(vkr_instance *instance, bool validation)
{
    static const char *const layers[] = {validation_layer};
    static const char *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    static const VkValidationFeatureEnableEXT enables[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkDebugUtilsMessengerCreateInfoEXT messages = messenger_info; /* for vkCreateInstance itself */
    messages.pUserData = &instance->log;
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pNext = &messages,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = enables};
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pEngineName = "vkinfer",
                                     .engineVersion = VKI_API_VERSION,
                                     .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &application};
    if (validation) {
        info.pNext = &features;
        info.enabledLayerCount = 1;
        info.ppEnabledLayerNames = layers;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = extensions;
    }
    return instance->vk.CreateInstance(&info, NULL, &instance->handle);
}

static const char *load_functions(vkr_instance *instance, PFN_vkGetInstanceProcAddr get)
{
#define LOAD(name)                                                                                           \
    instance->vk.name = (PFN_vk##name)get(instance->handle, "vk" #name);                                     \
    if (!instance->vk.name) return "vk" #name;
#define LOAD_OPTIONAL(name) instance->vk.name = (PFN_vk##name)get(instance->handle, "vk" #name);
    if (!instance->handle) {
        VKR_GLOBAL_FUNCTIONS(LOAD)
    } else {
        VKR_INSTANCE_FUNCTIONS(LOAD)
        VKR_OPTIONAL_INSTANCE_FUNCTIONS(LOAD_OPTIONAL)
    }
#undef LOAD
#undef LOAD_OPTIONAL
    return NULL;
}

static vki_status open_instance(vkr_instance *instance, const vki_context_options *o, const vki_allocator *a,
                                vki_error *err)
{
    PFN_vkGetInstanceProcAddr get = open_library(&instance->library, o->loader_path);
    if (!get)
        return vkb_fail(err, VKI_E_NO_DEVICE,
                        "the Vulkan loader %s cannot be opened; install a Vulkan driver",
                        o->loader_path ? o->loader_path : "libvulkan.so.1");
    if (load_functions(instance, get)) /* vkEnumerateInstanceVersion came with 1.1 */
        return vkb_fail(err, VKI_E_NO_DEVICE, "the Vulkan loader is older than 1.1");
    if (o->validation) VKB_TRY(find_layer(instance, a, err));
    VkResult result = create(instance, o->validation);
    if (result != VK_SUCCESS) return vkr_check(result, "vkCreateInstance", err);
    const char *missing = load_functions(instance, get);
    if (missing) return vkb_fail(err, VKI_E_NO_DEVICE, "the Vulkan loader lacks %s", missing);
    if (!o->validation) return VKI_OK;
    if (!instance->vk.CreateDebugUtilsMessengerEXT || !instance->vk.DestroyDebugUtilsMessengerEXT)
        return vkb_fail(err, VKI_E_UNSUPPORTED, "the Vulkan loader lacks vkCreateDebugUtilsMessengerEXT");
    VkDebugUtilsMessengerCreateInfoEXT info = messenger_info;
    info.pUserData = &instance->log;
    VKR_TRY(instance->vk.CreateDebugUtilsMessengerEXT(instance->handle, &info, NULL, &instance->messenger),
            "vkCreateDebugUtilsMessengerEXT");
    return VKI_OK;
}

vki_status vkr_instance_open(vkr_instance *instance, const vki_context_options *o, const vki_allocator *a,
                             vki_error *err)
{
    memset(instance, 0, sizeof *instance);
    instance->log = (vkr_log){o->log, o->log_user};
    vki_status status = open_instance(instance, o, a, err);
    if (status != VKI_OK) vkr_instance_close(instance);
    return status;
}

void vkr_instance_close(vkr_instance *instance)
{
    if (instance->messenger)
        instance->vk.DestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->handle && instance->vk.DestroyInstance)
        instance->vk.DestroyInstance(instance->handle, NULL);
    if (instance->library) dlclose(instance->library);
    memset(instance, 0, sizeof *instance);
}
