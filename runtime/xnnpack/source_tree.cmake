# XNNPACK's source tree as a part of this build. What it is made with lies beside it, as it is called in its
# own repository, or where the variables say: nothing is downloaded.

# Where NAME_SOURCE_DIR says, or beside XNNPACK.
function(find_source_tree name folder tree out_tree)
    set(place ${tree}/../${folder})
    if(DEFINED ${name}_SOURCE_DIR)
        set(place ${${name}_SOURCE_DIR})
    endif()
    get_filename_component(place ${place} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
    if(NOT EXISTS ${place}/CMakeLists.txt)
        message(FATAL_ERROR "KILN_XNNPACK: the sources in ${tree} want those of ${folder}, which are not in "
            "${place}: put them there, or say where they are with -D${name}_SOURCE_DIR=DIR")
    endif()
    set(${out_tree} ${place} PARENT_SCOPE)
endfunction()

# Defines the targets XNNPACK and pthreadpool. Which sources are wanted depends on the year, and is read off
# where its CMake would download them.
function(add_xnnpack tree)
    find_source_tree(CPUINFO cpuinfo ${tree} CPUINFO_SOURCE_DIR)
    find_source_tree(PTHREADPOOL pthreadpool ${tree} PTHREADPOOL_SOURCE_DIR)
    file(STRINGS ${tree}/CMakeLists.txt wanted REGEX "NOT DEFINED [A-Z0-9]+_SOURCE_DIR")
    file(STRINGS ${PTHREADPOOL_SOURCE_DIR}/CMakeLists.txt more REGEX "NOT DEFINED [A-Z0-9]+_SOURCE_DIR")
    foreach(folder FXdiv FP16 psimd cpuinfo/deps/clog)
        get_filename_component(name ${folder} NAME)
        string(TOUPPER ${name} name)
        if("${wanted} ${more}" MATCHES "DEFINED ${name}_SOURCE_DIR")
            find_source_tree(${name} ${folder} ${tree} ${name}_SOURCE_DIR)
        endif()
    endforeach()

    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # its options are the variables below
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    set(XNNPACK_LIBRARY_TYPE static)
    foreach(part TESTS BENCHMARKS ALL_MICROKERNELS)
        set(XNNPACK_BUILD_${part} OFF)
    endforeach()
    set(XNNPACK_ENABLE_KLEIDIAI OFF) # one more source tree, which convolutions of f32 do not call
    set(CPUINFO_BUILD_PKG_CONFIG OFF) # names folders of this machine
    set(apart EXCLUDE_FROM_ALL)
    if(KILN_INSTALL) # with what libkiln.a has to be linked with
        set(apart "")
    endif()
    add_subdirectory(${tree} ${PROJECT_BINARY_DIR}/xnnpack ${apart})
endfunction()
