# SPDX-License-Identifier: Apache-2.0
# VKI_PACKED_RELOCATIONS: how to have the linker store the addresses in tables of pointers as bits (DT_RELR), a sixteenth of the
# size of ordinary entries and 70 KB of the library. The loader must know them: glibc 2.36, Android 9. A linker that knows the
# option does not prove that this system's loader does, so a program made so is run; where none can be, the option stays off.
include(CheckCSourceRuns)
set(CMAKE_REQUIRED_FLAGS "-fPIE")
set(CMAKE_REQUIRED_LINK_OPTIONS "-pie;-Wl,-z,pack-relative-relocs")
if(CMAKE_CROSSCOMPILING OR VKI_SANITIZE)
    set(VKI_HAVE_RELR OFF)
else()
    check_c_source_runs("
        static const char a[] = \"a\", b[] = \"b\", c[] = \"c\";
        static const char *volatile const table[] = {a, b, c};
        int main(int argc, char **argv) { (void)argv; return table[argc] != b || table[argc - 1] != a; }" VKI_HAVE_RELR)
endif()
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
set(VKI_PACKED_RELOCATIONS "")
if(VKI_HAVE_RELR)
    set(VKI_PACKED_RELOCATIONS -Wl,-z,pack-relative-relocs)
endif()
