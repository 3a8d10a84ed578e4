# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=x.spv -DOUTPUT=x.inc -P embed.cmake: a SPIR-V file as a list of bytes for a C array, deflated to about a
# third: four bytes of its size, little-endian, and the deflate stream.
file(READ ${INPUT} magic LIMIT 4 HEX)
if(NOT magic STREQUAL "03022307")
    message(FATAL_ERROR "${INPUT} is not little-endian SPIR-V")
endif()
file(ARCHIVE_CREATE OUTPUT ${INPUT}.gz PATHS ${INPUT} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
file(READ ${INPUT}.gz gzip HEX)
if(NOT gzip MATCHES "^1f8b0800") # RFC 1952: deflated, ten bytes of header and no more
    message(FATAL_ERROR "${INPUT}.gz has an unexpected header")
endif()
string(LENGTH "${gzip}" length) # of the hexadecimal text; the trailer is a checksum and the size
math(EXPR size_at "${length} - 8")
math(EXPR stream_length "${length} - 36")
string(SUBSTRING "${gzip}" ${size_at} 8 size)
string(SUBSTRING "${gzip}" 20 ${stream_length} stream)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${size}${stream}")
set(line "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)")
string(REGEX REPLACE "${line}" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "${bytes}\n")
