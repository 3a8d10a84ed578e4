# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUTS=a.spv,b.spv -DOUTPUT=x.inc -P embed.cmake: SPIR-V modules as a list of bytes for a C array: four bytes of each
# module's size, little-endian, and LZMA2 of them all, which is what an .xz file holds between its frames. It takes three
# fifths of what deflate does, since modules are words of 32 bits that return in other places.
string(REPLACE "," ";" inputs "${INPUTS}")
set(sizes "")
foreach(input IN LISTS inputs)
    file(READ ${input} magic LIMIT 4 HEX)
    if(NOT magic STREQUAL "03022307")
        message(FATAL_ERROR "${input} is not little-endian SPIR-V")
    endif()
    file(SIZE ${input} size)
    foreach(shift 0 8 16 24)
        math(EXPR byte "(${size} >> ${shift}) & 255")
        string(APPEND sizes "${byte},")
    endforeach()
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -E cat ${inputs} OUTPUT_FILE ${OUTPUT}.all COMMAND_ERROR_IS_FATAL ANY)
file(ARCHIVE_CREATE OUTPUT ${OUTPUT}.xz PATHS ${OUTPUT}.all FORMAT raw COMPRESSION XZ COMPRESSION_LEVEL 9)
file(READ ${OUTPUT}.xz xz HEX)

# The .xz file format, 1.1.0: stream header, header of the one block (its size in words less one, flags with the number of
# filters, the filter LZMA2), data, checksum by the kind in the stream header, index, footer with the size of the index.
if(NOT xz MATCHES "^fd377a585a00000([014a])........(..)[048c]0.*2101" OR NOT xz MATCHES "(..)(..)(..)(..)000.595a$")
    message(FATAL_ERROR "${OUTPUT}.xz is not what is expected of an .xz file")
endif()
string(SUBSTRING "${xz}" 15 1 kind)
string(SUBSTRING "${xz}" 24 2 words)
math(EXPR begin "12 + (0x${words} + 1) * 4")
math(EXPR index "(0x${CMAKE_MATCH_4}${CMAKE_MATCH_3}${CMAKE_MATCH_2}${CMAKE_MATCH_1} + 1) * 4")
set(checksum_0 0)
set(checksum_1 4)
set(checksum_4 8)
set(checksum_a 32)
string(LENGTH "${xz}" length) # of the hexadecimal text
math(EXPR begin "${begin} * 2")
math(EXPR length "${length} - ${begin} - (12 + ${index} + ${checksum_${kind}}) * 2")
string(SUBSTRING "${xz}" ${begin} ${length} data)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${data}")
set(line "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)")
string(REGEX REPLACE "${line}" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "${sizes}\n${bytes}\n")
