# SPDX-License-Identifier: Apache-2.0
# Kernels for one instruction set stand in files named engine/cpu/*_<isa>.c, built with that set's flags, left out on other
# processors, and called only where the CPU has it (engine/cpu/micro.c, features.c).
# The C tables where nothing better is there. -O3 on them costs 110 KB, most of it versions of loops that never run.
set_source_files_properties(engine/cpu/micro_c.c engine/cpu/strided.c engine/cpu/winograd.c PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release,RelWithDebInfo>:-O2>;$<$<AND:$<C_COMPILER_ID:GNU>,$<CONFIG:Release,RelWithDebInfo>>:-fvect-cost-model=dynamic;-fpeel-loops;-funswitch-loops>")

# A tile in registers for each number of rows: -Os makes them half as large, and what must be unrolled says so (CPU_UNROLL).
set(small "$<IF:$<CONFIG:Release,RelWithDebInfo>,-Os,-O3>")
function(cpu_isa isa processors) # FLAGS... the last -O wins
    file(GLOB sources CONFIGURE_DEPENDS engine/cpu/*_${isa}.c)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${processors})$")
        set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "-O3;${ARGN}")
    else()
        set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY ON)
    endif()
endfunction()
set(x86 "x86_64|AMD64|amd64")
set(arm "aarch64|arm64|ARM64")
set(avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl)
cpu_isa(avx2 ${x86} -mavx2 -mfma -mf16c)
cpu_isa(avx512 ${x86} ${avx512} ${small})
cpu_isa(avx512vnni ${x86} ${avx512} -mavx512vnni ${small})
cpu_isa(avx512bf16 ${x86} ${avx512} -mavx512bf16 ${small})
# GCC has it from 12 on, assemblers since 2022.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${x86})$")
    include(CheckCSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS "-mavx512fp16")
    check_c_source_compiles("int main(void) { __asm__(\"vfmadd231ph %zmm0, %zmm1, %zmm2\"); return 0; }" CPU_AVX512FP16)
    unset(CMAKE_REQUIRED_FLAGS)
endif()
if(CPU_AVX512FP16)
    cpu_isa(avx512fp16 ${x86} ${avx512} -mavx512fp16 ${small})
    set_property(SOURCE engine/cpu/micro.c APPEND PROPERTY COMPILE_DEFINITIONS CPU_AVX512FP16=1)
else()
    cpu_isa(avx512fp16 none)
endif()
cpu_isa(neon ${arm}) # part of the base architecture
cpu_isa(fp16 ${arm} -march=armv8.2-a+fp16)
cpu_isa(dotprod ${arm} -march=armv8.2-a+dotprod)
cpu_isa(i8mm ${arm} -march=armv8.2-a+dotprod+i8mm)
