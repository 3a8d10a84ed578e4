# Kernels for one instruction set stand in files named engine/cpu/*_<isa>.c, built with that set's flags, left out on other
# processors, and called only where the CPU has it (engine/cpu/micro.c, features.c).
set_source_files_properties(engine/cpu/micro_c.c engine/cpu/strided.c PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release,RelWithDebInfo>:-O3>")
file(GLOB avx2 CONFIGURE_DEPENDS engine/cpu/*_avx2.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    set_source_files_properties(${avx2} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-O3")
else()
    set_source_files_properties(${avx2} PROPERTIES HEADER_FILE_ONLY ON)
endif()
file(GLOB neon CONFIGURE_DEPENDS engine/cpu/*_neon.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
    set_source_files_properties(${neon} PROPERTIES COMPILE_OPTIONS "-O3") # NEON is part of the base architecture
else()
    set_source_files_properties(${neon} PROPERTIES HEADER_FILE_ONLY ON)
endif()
