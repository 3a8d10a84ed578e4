# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=x.spv -DOUTPUT=x.inc -P embed.cmake: the words of a SPIR-V file as a list for a C array.
file(READ ${INPUT} hex HEX)
if(NOT hex MATCHES "^03022307")
    message(FATAL_ERROR "${INPUT} is not little-endian SPIR-V")
endif()
string(REGEX REPLACE "(..)(..)(..)(..)" "0x\\4\\3\\2\\1," words "${hex}")
set(word "0x........,")
string(REGEX REPLACE "(${word}${word}${word}${word}${word}${word}${word}${word})" "\\1\n" words "${words}")
file(WRITE ${OUTPUT} "${words}\n")
