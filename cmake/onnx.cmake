# The importer: protobuf-c code generated from the onnx.proto that the distribution packages (libonnx-dev), linked
# statically so that the library depends on libc and libm alone.
find_program(PROTOC_C protoc-c REQUIRED)
find_path(ONNX_PROTO_DIR onnx/onnx.proto PATHS /usr/lib/python3/dist-packages REQUIRED) # Ubuntu 22.04: python3-onnx
find_path(PROTOBUF_C_HEADERS protobuf-c/protobuf-c.h REQUIRED)
find_library(PROTOBUF_C_STATIC libprotobuf-c.a REQUIRED)
set(onnx_dir ${CMAKE_CURRENT_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${onnx_dir})
add_custom_command(OUTPUT ${onnx_dir}/onnx.pb-c.c ${onnx_dir}/onnx.pb-c.h
    COMMAND ${PROTOC_C} --c_out=${onnx_dir} -I${ONNX_PROTO_DIR}/onnx onnx.proto
    DEPENDS ${ONNX_PROTO_DIR}/onnx/onnx.proto VERBATIM)
file(GLOB onnx_sources CONFIGURE_DEPENDS graph/import/onnx/*.c)
target_sources(vkinfer_objects PRIVATE ${onnx_sources} ${onnx_dir}/onnx.pb-c.c ${onnx_dir}/onnx.pb-c.h)
set_source_files_properties(${onnx_dir}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
target_include_directories(vkinfer_objects SYSTEM PUBLIC ${onnx_dir} ${PROTOBUF_C_HEADERS}) # PUBLIC: the tests build models
target_compile_definitions(vkinfer_objects PUBLIC VKI_HAVE_ONNX=1)
set(VKI_PRIVATE_LIBRARIES $<BUILD_INTERFACE:${PROTOBUF_C_STATIC}>)
