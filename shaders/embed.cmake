# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUTS=a.spv,b.spv -DOUTPUT=x.inc [-DZOPFLI=program] -P embed.cmake: SPIR-V modules as a list of bytes for a C array: four bytes of
# each module's size, little-endian, and one deflate stream of them all. Variants of a shader are much alike, so that together
# they take about half of what they would apart.
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
if(ZOPFLI)
    execute_process(COMMAND ${ZOPFLI} --i1 ${OUTPUT}.all COMMAND_ERROR_IS_FATAL ANY)
else()
    file(ARCHIVE_CREATE OUTPUT ${OUTPUT}.all.gz PATHS ${OUTPUT}.all FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
endif()
file(READ ${OUTPUT}.all.gz gzip HEX)
if(NOT gzip MATCHES "^1f8b0800") # RFC 1952: deflated, ten bytes of header and no more
    message(FATAL_ERROR "${OUTPUT}.all.gz has an unexpected header")
endif()
string(LENGTH "${gzip}" length) # of the hexadecimal text; the trailer is a checksum and the size
math(EXPR stream_length "${length} - 36")
string(SUBSTRING "${gzip}" 20 ${stream_length} stream)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${stream}")
set(line "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)")
string(REGEX REPLACE "${line}" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "${sizes}\n${bytes}\n")
