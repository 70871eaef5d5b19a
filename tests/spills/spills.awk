# Reads assembly of x86-64 or ARM (32 or 64 bits), of gcc or clang, and prints of each basic block with at least 24 vector
# instructions that compute: FUNCTION computing=N reloads=N spills=N, the latter two being vectors that are read from
# the stack and written to it.
function end_block() {
    if (computing >= 24) {
        printf "%s%s computing=%d reloads=%d spills=%d\n", prefix, name, computing, reloads, spills
    }
    computing = reloads = spills = 0
}
{ sub(/\/\/.*|#.*/, "") }
/^[A-Za-z_][A-Za-z0-9_.$]*:/ { end_block(); name = $1; sub(/:.*/, "", name); next }
/^\.?L[A-Za-z0-9_.$]*:/ { end_block(); next }
!/^[ \t]+[a-z]/ { next }
{ vector = /(^|[ \t,{])v[0-9]+\.[0-9]*[bhsd]|[ \t,]q[0-9]+|%[xyz]mm[0-9]/ }
vector && $1 ~ /^(fml[as]|fmul|fadd|fsub|fmax[a-z]*|fmin[a-z]*|fdiv|v?(mul|add|sub|max|min|div)p[sd]|vfn?m(add|sub)[0-9]*p[sd])$/ { computing++ }
vector && /\[(sp|x29)/ && $1 ~ /^ld/ { reloads += $1 == "ldp" ? 2 : 1 }
vector && /\[(sp|x29)/ && $1 ~ /^st/ { spills += $1 == "stp" ? 2 : 1 }
vector && /\(%r[sb]p\).*%[xyz]mm/ { reloads++ }
vector && /%[xyz]mm[0-9]+, *-?[0-9]*\(%r[sb]p\)/ { spills++ }
# 32-bit ARM: vectors of floats in memory are aligned to 4 bytes, those on the stack to 8; or go by halves.
$1 ~ /^v(fm[as]|ml[as]|mul|add|sub|max|min)\.f32$/ && /[ \t]q[0-9]/ { computing++ }
$1 == "vld1.64" { reloads++ }
$1 == "vst1.64" { spills++ }
$1 ~ /^vldr/ && /[ \t]d[0-9]+, *\[(sp|r7|fp|r11)/ { reloads += 0.5 }
$1 ~ /^vstr/ && /[ \t]d[0-9]+, *\[(sp|r7|fp|r11)/ { spills += 0.5 }
$1 ~ /^(b|b\..*|cbn?z|tbn?z|ret|j[a-z]+)$/ { end_block() }
END { end_block() }
