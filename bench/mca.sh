#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Static analysis of the kernels' inner loops: what a model of a core in LLVM says of the machine code in a build folder.
# For cores that are not at hand; nothing is run. Of each function the loop that is most and densest in multiply-adds is taken,
# without what surrounds it, and every load hits the first-level cache.
set -euo pipefail

usage() {
    cat <<'END'
usage: bench/mca.sh BUILD CORE...

  BUILD  a build folder, for 64-bit ARM or x86
  CORE   what llvm-mca -mcpu takes: cortex-a53, neoverse-n1, znver4, icelake-server, ...

One line for each kernel: its multiply-adds (vector instructions) a round of the loop, all instructions, loads and stores of
the stack (spills), and by core the cycles of a round and the share of the core's multiply-add throughput that is used.
LLVM_MCA and LLVM_OBJDUMP name the programs (llvm-mca, llvm-objdump). LLVM before 16 has no models of its own for most of
ARM's cores and takes that of a Cortex-A57 for them.
END
}

[ $# -ge 2 ] && [ "$1" != --help ] || {
    usage
    exit $(($# < 2 ? 2 : 0))
}
build=$1
shift
mca=${LLVM_MCA:-llvm-mca} objdump=${LLVM_OBJDUMP:-llvm-objdump}
for tool in "$mca" "$objdump"; do
    command -v "$tool" >/dev/null || {
        echo "$tool is not there: it is in the package llvm" >&2
        exit 1
    }
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
objects=$build/CMakeFiles/vkinfer_objects.dir/engine/cpu

# kernel, file, function
arm_kernels='GEMM tile 6x16|neon|part_6_2
GEMM tile 6x8|neon|part_6_1
GEMM tile 5x16|neon|part_5_2
GEMM tile 4x16|neon|part_4_2
GEMM line 6x16|neon|line_6
GEMM line 3x32|neon|line_3
depthwise 3x3|neon|dw_whole_3_1
depthwise 3x3, stride 2|neon|dw_whole_3_2
depthwise 5x5|neon|dw_pair_5_1
row by panel|neon|row_panel
row by panel, fp16 weights|neon|row_panel_f16
row by panel, int8 weights|neon|row_panel_i8
dot products|neon|dots
Winograd rows|neon|winograd_rows_4
Winograd input|neon|winograd_in_4
Winograd output|neon|winograd_out_4
exp|neon|exp_sum
GEMM tile int16 6x16|neon|gemm_i16_6
GEMM tile int8 6x16 (SDOT)|dotprod|gemm_i8_6
GEMM tile int8 6x8 (SMMLA)|i8mm|part_6
GEMM tile fp16 6x16|fp16|part_6'
x86_kernels='GEMM tile 6x16|avx2|part_6_2
GEMM line 6x16|avx2|line_6
GEMM tile 14x32|avx512|wide_14
GEMM tile 7x32|avx512|wide_7
GEMM tile 8x16, pixels|avx512|one_8
GEMM tile int16 7x32|avx512|pairs_7
GEMM tile int8 7x32|avx512vnni|unsigned_b_7
GEMM tile fp16 7x32|avx512fp16|halves_7
GEMM tile bf16 7x32|avx512bf16|halves_7'

# The loop of FUNCTION (or of what the compiler split from it) in OBJECT that has the most and densest multiply-adds: its instructions.
# A loop is what a branch backwards spans; those that hold others do not count.
loop_of() { # OBJECT FUNCTION
    "$objdump" --disassemble --no-show-raw-insn "$1" | tr '\t' ' ' | awk -v name="$2" -v fma="$fma" -v comment="$comment" '
        function hexadecimal(text,   i, value) {
            value = 0
            for (i = 1; i <= length(text); i++) value = 16 * value + index("0123456789abcdef", substr(text, i, 1)) - 1
            return value
        }
        function finish(   i, j, k, count, inner) {
            for (i = 0; i < n; i++) {
                if (!(i in target) || target[i] > address[i] || target[i] < address[0]) continue
                for (j = i; j > 0 && address[j] > target[i]; j--) {}
                count = inner = 0
                for (k = j; k <= i; k++) {
                    if (line[k] ~ fma) count++
                    if (k < i && (k in target) && target[k] <= address[k] && target[k] >= target[i]) inner = 1
                }
                if (inner || count * count / (i - j + 1) <= best) continue
                best = count * count / (i - j + 1)
                found = ""
                for (k = j; k <= i; k++) if (!(k in target)) found = found line[k] "\n"
            }
            delete target
            n = 0
        }
        /^[0-9a-f]+ <.*>:$/ {
            finish()
            inside = $2 ~ "^<" name "([.](isra|constprop|part)[.0-9]*)*>:$"
            next
        }
        inside && /^ *[0-9a-f]+: / {
            address[n] = hexadecimal(substr($1, 1, length($1) - 1))
            text = $0
            sub(/^ *[0-9a-f]+: */, "", text)
            if (match(text, /0x[0-9a-f]+ <[^>]*>/)) {
                split(substr(text, RSTART + 2), part, " ")
                if (text ~ /^(b|cb|tb|j)/ && text !~ /^(bl|bic|bfi|bif|bit|bsl) /) target[n] = hexadecimal(part[1])
            }
            sub(comment, "", text)
            line[n++] = text
        }
        END {
            finish()
            printf "%s", found
        }'
}

cycles() { # CORE FILE: of 100 rounds
    "$mca" -march="$march" -mcpu="$1" -iterations=100 "$2" 2>"$folder/error" | awk '/^Total Cycles/ { print $3 }'
}

# How many multiply-adds of this kind the core does: of 16 that do not wait for one another.
throughput() { # CORE FILE: cycles of 1600
    local line first
    line=$(grep -E "$fma" "$2" | tail -n 1)
    first=${line#* }
    first=${first%%,*}
    for i in {0..15}; do
        if [ "$march" = aarch64 ]; then
            sed -E "s/^([a-z0-9]+) +v[0-9]+(\.[a-z0-9]+), v[0-9]+(\.[a-z0-9]+), v[0-9]+/\1 v$((16 + i))\2, v0\3, v1/" <<<"$line"
        else
            sed -E "s/%([xyz])mm[0-9]+\$/%\1mm$i/; s/^([a-z0-9]+) .*(, %[xyz]mm[0-9]+), /\1 %${line##*%}\2, /" <<<"$line"
        fi
    done >"$folder/independent"
    cycles "$1" "$folder/independent"
}

report() { # NAME FILE FUNCTION CORE...
    local name=$1 object=$objects/micro_$2.c.o function=$3 core
    shift 3
    [ -e "$object" ] || return 0
    loop_of "$object" "$function" >"$folder/loop"
    local count all spills
    count=$(grep -cE "$fma" "$folder/loop" || true)
    [ "$count" -gt 0 ] || return 0
    all=$(wc -l <"$folder/loop")
    spills=$(grep -cE "$stack" "$folder/loop" || true)
    printf '| %s | %d | %d | %d |' "$name" "$count" "$all" "$spills"
    for core; do
        printf ' %s |' "$(echo "$(cycles "$core" "$folder/loop") $(throughput "$core" "$folder/loop")" | awk -v n="$count" \
            'NF == 2 { printf "%.1f (%.0f %%)", $1 / 100, 100 * n * $2 / 16 / $1; next } { printf "?" }')"
    done
    printf '\n'
}

if [ -e "$objects/micro_neon.c.o" ]; then
    march=aarch64 kernels=$arm_kernels
    fma='^(fmla|fmls|fmadd|smlal2?|sdot|smmla|fmlal2?) ' stack='\[(sp|x29)' comment=' *(//|<).*'
else
    march=x86-64 kernels=$x86_kernels
    fma='^(vfn?madd|vpmaddwd|vpdpbusd|vpdpwssd|vdpbf16ps)' stack='\(%rsp\)|\(%rbp\)' comment=' *[#<].*'
fi
printf '| inner loop | multiply-adds | instructions | spills |'
printf ' %s |' "$@"
printf '\n|---|---|---|---|'
for _; do printf -- '---|'; done
printf '\n'
while IFS='|' read -r name file function; do
    report "$name" "$file" "$function" "$@"
done <<<"$kernels"
