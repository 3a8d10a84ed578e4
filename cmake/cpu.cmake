# Kernels for one instruction set stand in files named engine/cpu/*_<isa>.c, built with that set's flags and called only
# where the CPU has it (engine/cpu/features.c).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
    file(GLOB avx2 CONFIGURE_DEPENDS engine/cpu/*_avx2.c)
    set_source_files_properties(${avx2} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-O3")
endif()
