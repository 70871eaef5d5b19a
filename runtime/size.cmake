# How the runtime is compiled: small where it opens, checks, builds and arranges; fast where it computes.
# (Micro-kernels, where nearly all time goes, have options of their own: ukernels/ukernels.cmake.)
set(KILN_SMALL_FOLDERS base plan session tune answer faces train) # people: CMakeLists.txt
set(KILN_LOOPS # of these folders
    base/checksum base/thread_pool plan/stored session/constants faces/align faces/fit
    train/activation train/augment train/dense train/lda train/loss train/means train/network train/products
    train/random train/optimizers/.*)

# compile_small(SOURCE...): in every build but Debug's.
function(compile_small)
    if(KILN_SANITIZE)
        return()
    endif()
    list(JOIN KILN_SMALL_FOLDERS "|" folders)
    list(JOIN KILN_LOOPS "|" loops)
    foreach(source IN LISTS ARGN)
        get_filename_component(source ${source} ABSOLUTE)
        if(source MATCHES "/runtime/(${folders})/" AND NOT source MATCHES "/(${loops})\\.c$")
            set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-Os>")
        endif()
    endforeach()
endfunction()

# What nothing reaches is left out by linkers. Nobody unwinds through ours but debuggers and crash
# reporters, which RelWithDebInfo serves: it is C, and callbacks do not throw.
function(compile_sections target)
    if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT KILN_SANITIZE)
        target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections
            $<$<NOT:$<CONFIG:RelWithDebInfo>>:-fno-asynchronous-unwind-tables>
            $<$<NOT:$<CONFIG:RelWithDebInfo>>:-fno-unwind-tables>)
    endif()
endfunction()
