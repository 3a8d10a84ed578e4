# SPDX-License-Identifier: Apache-2.0
# From every shaders/*.comp to SPIR-V inside the library. A shader's first comment block declares its variants, one a
# line: `//! variant <name> [MACRO[=VALUE] ...]`; each becomes the module <file>_<name>. Variants that store fp16 are
# named f16. What is made here:
#   shader_ids.h    enum gpu_shader { SH_<file>_<variant>, ..., SH_COUNT }, and which of them ask for the size of the grid:
#                   always, since engine/gpu needs no Vulkan
#   shader_code.c   the SPIR-V of every module, by its id (with VKI_VULKAN)
# Tools are host programs found in PATH, so that cross-compiling needs nothing more.
set(shader_source_dir ${CMAKE_CURRENT_SOURCE_DIR}/shaders)
set(shader_dir ${CMAKE_CURRENT_BINARY_DIR}/shaders)
file(MAKE_DIRECTORY ${shader_dir})
if(VKI_VULKAN)
    foreach(tool glslangValidator spirv-val spirv-opt)
        string(MAKE_C_IDENTIFIER "VKI_${tool}" variable)
        find_program(${variable} ${tool})
        if(NOT ${variable})
            message(FATAL_ERROR "${tool} is needed to build the shaders (Debian: apt install glslang-tools spirv-tools); "
                "configure with -DVKI_VULKAN=OFF to build without the Vulkan back end")
        endif()
    endforeach()
endif()

# Not in every version of glslang: numbers what modules have in common alike, which halves the embedded code.
find_program(VKI_spirv_remap spirv-remap)

# One module: GLSL -> SPIR-V -> optimized, without debug information -> validated. The .spv is the first output because it is
# the one that glslang's dependency file names.
function(vki_add_shader_module source module macros)
    set(spv ${shader_dir}/${module}.spv)
    set(remap "")
    if(VKI_spirv_remap)
        set(remap COMMAND ${VKI_spirv_remap} --map all --input ${spv} --output ${shader_dir}/remapped
            COMMAND ${CMAKE_COMMAND} -E rename ${shader_dir}/remapped/${module}.spv ${spv})
    endif()
    add_custom_command(OUTPUT ${spv}
        COMMAND ${VKI_glslangValidator} --quiet -V --target-env vulkan1.1 -I${shader_source_dir} ${macros}
            --depfile ${spv}.d -o ${spv} ${source}
        COMMAND ${VKI_spirv_opt} --target-env=vulkan1.1 -O --strip-debug ${spv} -o ${spv}
        ${remap}
        COMMAND ${VKI_spirv_val} --target-env vulkan1.1 ${spv}
        DEPENDS ${source} DEPFILE ${spv}.d COMMENT "Shader ${module}" VERBATIM)
endfunction()

# All modules of a pack -> compressed list of bytes for C.
function(vki_embed_shaders name modules)
    list(TRANSFORM modules PREPEND ${shader_dir}/)
    list(TRANSFORM modules APPEND .spv)
    string(REPLACE ";" "," inputs "${modules}")
    add_custom_command(OUTPUT ${shader_dir}/${name}.inc
        COMMAND ${CMAKE_COMMAND} -DINPUTS=${inputs} -DOUTPUT=${shader_dir}/${name}.inc -P ${shader_source_dir}/embed.cmake
        DEPENDS ${modules} ${shader_source_dir}/embed.cmake COMMENT "Embedding ${name}" VERBATIM)
endfunction()

# Shaders whose names begin with the same word share a pack: what they have in common is embedded once, and a plan needs few of
# the packs.
file(MAKE_DIRECTORY ${shader_dir}/remapped)
file(GLOB shader_sources CONFIGURE_DEPENDS shaders/*.comp)
set(modules "")
set(rows "")
set(strides "")
set(packs "")
foreach(source IN LISTS shader_sources)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source}) # its variants may change
    get_filename_component(name ${source} NAME_WE)
    file(STRINGS ${source} lines REGEX "^//!")
    if(NOT lines)
        message(FATAL_ERROR "${source} declares no variant: write a line such as '//! variant f32' at its top")
    endif()
    string(REGEX MATCH "^[a-z0-9]+" pack ${name})
    if(NOT pack IN_LIST packs)
        list(APPEND packs ${pack})
        set(pack_${pack} "")
    endif()
    list(FIND packs ${pack} number)
    file(STRINGS ${source} asks REGEX "gl_NumWorkGroups")
    foreach(line IN LISTS lines)
        if(NOT line MATCHES "^//! variant ([a-z0-9_]+)((( +[A-Za-z_][A-Za-z0-9_]*(=[^ ]+)?)*) *)$")
            message(FATAL_ERROR "${source}: not a variant line: ${line}")
        endif()
        set(module ${name}_${CMAKE_MATCH_1})
        string(STRIP "${CMAKE_MATCH_2}" macros)
        string(REGEX REPLACE " +" ";" macros "${macros}")
        list(TRANSFORM macros PREPEND -D)
        if(module IN_LIST modules)
            message(FATAL_ERROR "${source}: variant ${module} is declared twice")
        endif()
        list(LENGTH pack_${pack} index)
        string(APPEND rows "    [SH_${module}] = {\"${module}\", ${number}, ${index}},\n")
        list(APPEND modules ${module})
        list(APPEND pack_${pack} ${module})
        if(asks)
            string(APPEND strides " || shader == SH_${module}")
        endif()
        if(VKI_VULKAN)
            vki_add_shader_module(${source} ${module} "${macros}")
        endif()
    endforeach()
endforeach()

set(ids "")
foreach(module IN LISTS modules)
    string(APPEND ids "    SH_${module},\n")
endforeach()
list(LENGTH packs count)
file(CONFIGURE OUTPUT ${shader_dir}/shader_ids.h @ONLY CONTENT
"/* Generated by shaders/shaders.cmake. */
#ifndef SHADER_IDS_H
#define SHADER_IDS_H
enum gpu_shader {
${ids}    SH_COUNT
};
enum { SH_PACKS = ${count} };
/* Strides by the size of its grid, so that a part of the grid is not a part of the work. */
#define SH_STRIDES(shader) (0${strides})
#endif
")
target_include_directories(vkinfer_objects PUBLIC ${shader_dir})
if(VKI_VULKAN)
    set(arrays "")
    set(pack_rows "")
    set(includes "")
    foreach(pack IN LISTS packs)
        vki_embed_shaders(${pack} "${pack_${pack}}")
        list(LENGTH pack_${pack} count)
        string(APPEND arrays "static const uint8_t ${pack}[] = {\n#include \"${pack}.inc\"\n};\n")
        string(APPEND pack_rows "    {${pack}, sizeof ${pack}, ${count}},\n")
        list(APPEND includes ${shader_dir}/${pack}.inc)
    endforeach()
    file(CONFIGURE OUTPUT ${shader_dir}/shader_code.c @ONLY CONTENT
"/* Generated by shaders/shaders.cmake. */
#include \"vulkan/shader_code.h\"
${arrays}
const vkr_shader_code vkr_shader_codes[SH_COUNT + 1] = {
${rows}    [SH_COUNT] = {0},
};
const vkr_shader_pack vkr_shader_packs[SH_PACKS + 1] = {
${pack_rows}    {0},
};
")
    set_source_files_properties(${shader_dir}/shader_code.c PROPERTIES OBJECT_DEPENDS "${includes}")
    target_sources(vkinfer_objects PRIVATE ${shader_dir}/shader_code.c)
endif()
