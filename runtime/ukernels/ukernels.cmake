# The sources of this folder (ukernels.c apart) are compiled once for each set of vector instructions.
# A row: the set's name, which ends the names of what is compiled; its header (see vector.h); the
# compiler's options. The best set comes first, and the baseline, which all processors have, last.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i.86")
    set(KILN_ISA_ROWS
        "avx512 avx512.h -mavx512f -mfma -mf16c"
        "avx2 avx2.h -mavx2 -mfma -mf16c"
        "base sse.h -msse2 -Os") # for processors of before 2013
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(KILN_ISA_ROWS "base neon.h")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
    # In 32 bits NEON takes denormals for zeros, which gcc asks leave for; order and division stay as they are written.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        string(CONCAT options " -mfp16-format=ieee -funsafe-math-optimizations -fno-associative-math"
            " -fno-reciprocal-math -fsigned-zeros -ftrapping-math")
    endif()
    include(CheckCSourceCompiles)
    check_c_source_compiles("#if !defined __ARM_NEON || !defined __ARM_FEATURE_FMA
        #error
        #endif
        int main(void) { return 0; }" KILN_COMPILES_FOR_NEON)
    if(KILN_COMPILES_FOR_NEON) # as with -mfpu=neon-vfpv4: there is none without
        set(KILN_ISA_ROWS "base neon.h -DUKERNEL_SUFFIX=base${options}")
    else()
        set(KILN_ISA_ROWS "neon neon.h -mfpu=neon-vfpv4${options}" "base portable.h")
    endif()
else()
    set(KILN_ISA_ROWS "base portable.h")
endif()
set(KILN_ISA "all" CACHE STRING
    "Sets of vector instructions besides the baseline, as avx512;avx2; all: those that the compiler knows; base: none")

file(GLOB KILN_UKERNEL_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(FILTER KILN_UKERNEL_SOURCES EXCLUDE REGEX "/ukernels\\.c$")
function(ukernels suffix header)
    set(target kiln_ukernels_${suffix})
    add_library(${target} OBJECT ${KILN_UKERNEL_SOURCES})
    target_compile_definitions(${target} PRIVATE UKERNEL_ISA="runtime/ukernels/${header}")
    target_compile_options(${target} PRIVATE $<IF:$<CONFIG:MinSizeRel>,-Os,-O2> -ffp-contract=fast -fno-math-errno ${ARGN}
        $<$<C_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed>) # of loops that stay as they are
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    if(KILN_BUILD_FUZZERS) # clang takes minutes for each with sanitizers and coverage
        target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    else()
        target_link_libraries(${target} PRIVATE kiln_flags)
    endif()
    compile_sections(${target})
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    set(KILN_UKERNELS ${KILN_UKERNELS} $<TARGET_OBJECTS:${target}> PARENT_SCOPE)
endfunction()
# Nearly all time of convolutional networks goes here, so it is not to save bytes in MinSizeRel, or in a set that is
# compiled for size, either.
foreach(family depthwise gemm winograd)
    set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/${family}.c PROPERTIES COMPILE_OPTIONS -O2)
endforeach()
# What takes little of a network's time, or as long when it is compiled for size. (Of all others, -Os costs networks
# 1 to 5 % with AVX-512.)
foreach(family bilinear dense multiplier peak pool quantize reduce softmax wide)
    set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/${family}.c PROPERTIES COMPILE_OPTIONS -Os)
endforeach()
# Functions of several vectors at once, which the compiler is to interleave.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/unary.c PROPERTIES COMPILE_OPTIONS
    "$<$<C_COMPILER_ID:GNU>:-fschedule-insns;-fsched-pressure>")
# Loops that are unrolled with a check of each pointer take compilers long, clang minutes.
if(KILN_SANITIZE)
    set_source_files_properties(${KILN_UKERNEL_SOURCES} PROPERTIES COMPILE_OPTIONS
        "-O1$<$<C_COMPILER_ID:Clang>:;-fno-sanitize=pointer-overflow,null,alignment,object-size>")
endif()

include(CheckCCompilerFlag)
set(KILN_ISA_SETS "")
set(known "")
foreach(row IN LISTS KILN_ISA_ROWS)
    string(REPLACE " " ";" row "${row}")
    list(POP_FRONT row name header)
    list(APPEND known ${name})
    if(name STREQUAL "base" OR name IN_LIST KILN_ISA OR "all" IN_LIST KILN_ISA)
        set(CMAKE_REQUIRED_QUIET ON)
        string(REPLACE ";" " " flags "${row}")
        check_c_compiler_flag("${flags}" KILN_COMPILES_${name})
        if(KILN_COMPILES_${name} OR name STREQUAL "base")
            ukernels(${name} ${header} ${row})
            list(APPEND KILN_ISA_SETS ${name})
        elseif(name IN_LIST KILN_ISA)
            message(FATAL_ERROR "KILN_ISA: the compiler has no ${name} (${flags})")
        endif()
    endif()
endforeach()
foreach(name IN LISTS KILN_ISA)
    if(NOT name IN_LIST known AND NOT name STREQUAL "all")
        list(JOIN known ", " known)
        message(FATAL_ERROR
            "KILN_ISA: '${name}' is no set of vector instructions of ${CMAKE_SYSTEM_PROCESSOR}, which has: ${known}")
    endif()
endforeach()
