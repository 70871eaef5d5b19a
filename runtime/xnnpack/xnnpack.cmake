# Finds XNNPACK and pthreadpool. KILN_XNNPACK says which XNNPACK:
#   ON       the system's (Debian's libxnnpack-dev, of any year)
#   OFF      none: every kernel is Kiln's. pthreadpool is wanted all the same
#   DIR      one that is installed there, static or shared, with its pthreadpool; or its source tree, which
#            becomes a part of the build (source_tree.cmake)
#   TARGET   a target of CMake's, imported or of the surrounding project (its XNNPACK), and pthreadpool
#            as the target of that name, or the system's
# Defines the target kiln_xnnpack: what the runtime is compiled and linked with. What the API is like is
# tried, not read off a version.
set(KILN_XNNPACK ON CACHE STRING "XNNPACK: ON (the system's), OFF, where it is installed, its source tree, or a target")
include(CheckCSourceCompiles)
add_library(kiln_xnnpack INTERFACE)

set(found_before XNNPACK_LIBRARY XNNPACK_INCLUDE XNNPACK_MICROKERNELS XNNPACK_CPUINFO PTHREADPOOL_LIBRARY
    PTHREADPOOL_INCLUDE KILN_XNNPACK_RESHAPE KILN_XNNPACK_CODE_CACHE KILN_XNNPACK_WORKSPACE_ALIGNMENT)
if(NOT "${KILN_XNNPACK_FOUND_FOR}" STREQUAL "${KILN_XNNPACK}")
    foreach(name ${found_before})
        if(DEFINED KILN_XNNPACK_FOUND_FOR)
            unset(${name} CACHE)
        endif()
    endforeach()
    set(KILN_XNNPACK_FOUND_FOR "${KILN_XNNPACK}" CACHE INTERNAL "")
endif()

set(system_names ON TRUE YES 1)
set(place "")
if(TARGET "${KILN_XNNPACK}")
    set(XNNPACK_LIBRARY ${KILN_XNNPACK})
elseif(IS_DIRECTORY "${KILN_XNNPACK}" AND NOT IS_ABSOLUTE "${KILN_XNNPACK}")
    message(FATAL_ERROR "KILN_XNNPACK: give the absolute path of ${KILN_XNNPACK}") # CMake looks in several folders
elseif(EXISTS "${KILN_XNNPACK}/CMakeLists.txt")
    include(xnnpack/source_tree.cmake)
    add_xnnpack(${KILN_XNNPACK})
    set(XNNPACK_LIBRARY XNNPACK)
    set(XNNPACK_PARTS xnnpack-microkernels-prod cpuinfo) # installed beside it
elseif(IS_DIRECTORY "${KILN_XNNPACK}" OR KILN_XNNPACK IN_LIST system_names)
    if(IS_DIRECTORY "${KILN_XNNPACK}")
        set(place PATHS ${KILN_XNNPACK} NO_DEFAULT_PATH PATH_SUFFIXES lib lib64 include)
    endif()
    find_library(XNNPACK_LIBRARY XNNPACK ${place} REQUIRED)
    find_path(XNNPACK_INCLUDE xnnpack.h ${place} REQUIRED)
    # A static XNNPACK comes in parts; a shared one knows what it needs.
    find_library(XNNPACK_MICROKERNELS xnnpack-microkernels-prod ${place})
    find_library(XNNPACK_CPUINFO cpuinfo ${place})
    if(XNNPACK_LIBRARY MATCHES "\\.a$")
        list(APPEND XNNPACK_LIBRARY ${XNNPACK_MICROKERNELS} ${XNNPACK_CPUINFO})
    endif()
elseif(KILN_XNNPACK)
    message(FATAL_ERROR "KILN_XNNPACK: ${KILN_XNNPACK} is neither ON, OFF, a folder nor a target")
endif()
if(TARGET pthreadpool)
    set(PTHREADPOOL_LIBRARY pthreadpool)
else()
    find_library(PTHREADPOOL_LIBRARY pthreadpool ${place} REQUIRED)
    find_path(PTHREADPOOL_INCLUDE pthreadpool.h ${place} REQUIRED)
endif()
find_package(Threads REQUIRED)
target_link_libraries(kiln_xnnpack INTERFACE ${XNNPACK_LIBRARY} ${PTHREADPOOL_LIBRARY} Threads::Threads m)
target_include_directories(kiln_xnnpack INTERFACE ${XNNPACK_INCLUDE} ${PTHREADPOOL_INCLUDE})

# Compiles, without linking, with the folders of headers; a target may name them for its build alone.
function(probe name code)
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    set(CMAKE_REQUIRED_FLAGS -Werror=implicit-function-declaration)
    set(CMAKE_REQUIRED_INCLUDES ${XNNPACK_INCLUDE} ${PTHREADPOOL_INCLUDE})
    foreach(target ${XNNPACK_LIBRARY} ${PTHREADPOOL_LIBRARY})
        if(TARGET "${target}")
            get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
            string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" folders "${folders}")
            list(FILTER folders EXCLUDE REGEX "NOTFOUND|\\$<")
            list(APPEND CMAKE_REQUIRED_INCLUDES ${folders})
        endif()
    endforeach()
    check_c_source_compiles("#include <stddef.h>\n#include <xnnpack.h>\nint f(void);\nint f(void) { ${code} }"
        ${name})
    if(${name})
        target_compile_definitions(kiln_xnnpack INTERFACE ${name})
    endif()
endfunction()
if(KILN_XNNPACK)
    target_compile_definitions(kiln_xnnpack INTERFACE KILN_XNNPACK)
    set(create "xnn_operator_t op; return xnn_create_convolution2d_nhwc_f32(\
        0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, NULL, NULL, 0, 0, 0")
    probe(KILN_XNNPACK_RESHAPE "return xnn_reshape_convolution2d_nhwc_f32 != NULL;")
    probe(KILN_XNNPACK_CODE_CACHE "${create}, NULL, NULL, &op);")
    probe(KILN_XNNPACK_WORKSPACE_ALIGNMENT
        "size_t s; return xnn_reshape_convolution2d_nhwc_f32(NULL, 1, 1, 1, &s, &s, &s, &s, NULL);")
endif()
