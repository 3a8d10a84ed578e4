# Written in the bring-up: an empty list of shaders.
set(shader_dir ${CMAKE_CURRENT_BINARY_DIR}/shaders)
file(WRITE ${shader_dir}/shader_ids.h "enum gpu_shader { SH_COUNT };\n")
target_include_directories(vkinfer_objects PUBLIC ${shader_dir})
