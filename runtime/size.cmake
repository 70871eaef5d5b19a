# How the runtime is compiled: small, -Os or -Oz, where it opens, checks, builds and arranges, which no profile of a
# network shows with more than a few thousandths; -O2 where it loops over elements, and with vectors where those pay.
# What -O3 does besides, copies of loops for each case, made the code up to five times as large and nothing faster.
# (Micro-kernels, where nearly all time goes, have options of their own: ukernels/ukernels.cmake.)
# In MinSizeRel all of it is -Oz, where the compiler has that.
set(KILN_SMALL_FOLDERS base session kernels image)
set(KILN_SMALLEST_FOLDERS plan faces people answer tune train xnnpack) # what no run of a network comes to
set(KILN_LOOPS # of these folders
    base/checksum base/thread_pool                    # loading; the wait of a step's threads
    plan/stored session/constants                     # weights that are widened when a session is made
    kernels/conv_direct kernels/copy_loops kernels/gemm_gather kernels/remap kernels/unary # short copies
    kernels/grid_sample kernels/resample kernels/roi_align # no micro-kernels below
    image/reduce image/scale image/view faces/align faces/fit # pixels
    people/vectors                                    # similarities to all portraits
    train/random)
set(KILN_VECTORS
    kernels/gemm_scale kernels/pool_nd                # no micro-kernels below
    kernels/conv_repair kernels/quantize              # what is no number is searched in all inputs; the range of all
    train/activation train/dense train/lda train/means train/products
    train/optimizers/.*)

include(CheckCCompilerFlag)
check_c_compiler_flag(-Oz KILN_HAS_OZ) # gcc from 12 on

# compile_small(SOURCE...): in every build but Debug's.
function(compile_small)
    if(KILN_SANITIZE)
        return()
    endif()
    list(JOIN KILN_SMALL_FOLDERS "|" small)
    list(JOIN KILN_SMALLEST_FOLDERS "|" smallest)
    list(JOIN KILN_LOOPS "|" loops)
    list(JOIN KILN_VECTORS "|" vectors)
    set(fast "-O2$<$<C_COMPILER_ID:GNU>:;-fno-align-functions;-fno-align-jumps;-fno-align-labels>") # loops stay aligned
    set(least $<IF:$<BOOL:${KILN_HAS_OZ}>,-Oz,-Os>)
    foreach(source IN LISTS ARGN)
        get_filename_component(source ${source} ABSOLUTE)
        if(source MATCHES "/runtime/(${vectors})\\.c$")
            set(level "${fast}$<$<C_COMPILER_ID:GNU>:;-fvect-cost-model>") # clang's -O2 has it
        elseif(source MATCHES "/runtime/(${loops})\\.c$")
            set(level "${fast}")
        elseif(source MATCHES "/runtime/(${smallest})/")
            set(level ${least})
        elseif(source MATCHES "/runtime/(${small})/")
            set(level -Os)
        else()
            continue()
        endif()
        set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS
            "$<$<NOT:$<CONFIG:Debug>>:$<IF:$<CONFIG:MinSizeRel>,${least},${level}>>")
    endforeach()
endfunction()

# What nothing reaches is left out by linkers. With CMAKE_INTERPROCEDURAL_OPTIMIZATION CMake asks clang for ThinLTO, which
# saves 1 % of the code where an optimisation of all at once saves 4. Nobody unwinds through ours but debuggers and crash
# reporters, which RelWithDebInfo serves: it is C, and callbacks do not throw. Nobody asks errno about a root.
function(compile_sections target)
    target_compile_options(${target} PRIVATE -fno-math-errno)
    if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID MATCHES "Clang")
        target_compile_options(${target} PRIVATE -flto=full)
    endif()
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT KILN_SANITIZE)
        target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections
            $<$<NOT:$<CONFIG:RelWithDebInfo>>:-fno-asynchronous-unwind-tables>
            $<$<NOT:$<CONFIG:RelWithDebInfo>>:-fno-unwind-tables>)
        if(NOT APPLE) # whose rules ask for frame pointers; ARM's gcc keeps them
            target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:RelWithDebInfo>>:-fomit-frame-pointer>)
        endif()
    endif()
endfunction()
