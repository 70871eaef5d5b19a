# What is built in: sets of vector instructions (KILN_ISA), and kernels (KILN_KERNELS). Three sources have tables
# of these, and get all else linked: kernels/table.c, kernels/conv_table.c and ukernels/ukernels.c.
set(KILN_KERNELS "" CACHE FILEPATH
    "A list that `kiln compile --emit-kernels` has written: the kernels that are built in; empty: all")

# Which names the runtime has, in its headers.
function(known_names)
    file(GLOB headers ${PROJECT_SOURCE_DIR}/include/kiln/kernels_*.h)
    set(KILN_KNOWN_KERNELS "")
    foreach(header IN LISTS headers)
        file(READ ${header} text)
        string(REGEX MATCHALL "KERNEL\\([0-9]+, [A-Z0-9_]+, [a-z0-9_]+\\)" rows "${text}")
        list(TRANSFORM rows REPLACE "^.*, ([a-z0-9_]+)\\)$" "\\1")
        list(APPEND KILN_KNOWN_KERNELS ${rows})
    endforeach()
    file(READ ${PROJECT_SOURCE_DIR}/runtime/ukernels/ukernels.h header)
    string(REGEX MATCHALL "FUNCTION\\([A-Z_]+, [a-z_]+\\)" KILN_KNOWN_FUNCTIONS "${header}")
    list(TRANSFORM KILN_KNOWN_FUNCTIONS REPLACE "^.*, ([a-z_]+)\\)$" "\\1")
    set(KILN_KNOWN_ALGORITHMS direct winograd2 winograd4 winograd6 gemm depthwise)
    foreach(kind KERNELS ALGORITHMS FUNCTIONS)
        set(KILN_KNOWN_${kind} ${KILN_KNOWN_${kind}} CACHE INTERNAL "Names that lists of kernels may have")
    endforeach()
endfunction()
known_names()

# kernels_of(FILE OUT): the lines of built_in.h for a list: lines of `kernel NAME`, `convolution ALGORITHM`,
# `depthwise several` (outputs of a channel), `function NAME`, `training`.
function(kernels_of file out)
    set(kernels "")
    set(algorithms "")
    set(functions "")
    set(several 0)
    file(STRINGS ${file} lines REGEX "^[^#]")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[a-z]+ (.*)$" "\\1" name "${line}")
        string(TOUPPER "${name}" NAME)
        if(line MATCHES "^kernel " AND name IN_LIST KILN_KNOWN_KERNELS)
            string(APPEND kernels " KERNEL(${NAME}, ${name})")
        elseif(line MATCHES "^convolution " AND name IN_LIST KILN_KNOWN_ALGORITHMS)
            string(REGEX REPLACE "WINOGRAD" "WINOGRAD_" NAME "${NAME}")
            string(REGEX REPLACE "[246]$" "" name "${name}")
            string(APPEND algorithms " ALGORITHM(${NAME}, ${name})")
        elseif(line MATCHES "^function ")
            if(name IN_LIST KILN_KNOWN_FUNCTIONS) # others have no micro-kernel
                string(APPEND functions " FUNCTION(${NAME}, ${name})")
            endif()
        elseif(line STREQUAL "depthwise several")
            set(several 1)
        elseif(NOT line STREQUAL "training")
            message(FATAL_ERROR "KILN_KERNELS: ${file} has a line '${line}', which names no kernel of this version")
        endif()
    endforeach()
    set(${out} "#define EACH_BUILT_IN_KERNEL(KERNEL)${kernels}
#define EACH_BUILT_IN_ALGORITHM(ALGORITHM)${algorithms}
#define BUILT_IN_DEPTHWISE_SEVERAL ${several}
#define EACH_BUILT_IN_FUNCTION(FUNCTION)${functions}
" PARENT_SCOPE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()

# built_in_tables(TARGET SETS KERNELS): objects with the tables for these sets, the best first, and the kernels of
# the list in the file KERNELS, or all of them where that is empty.
function(built_in_tables target sets kernels)
    set(rows "")
    foreach(set IN LISTS sets)
        string(APPEND rows " ISA(${set}, of)")
    endforeach()
    set(selected "")
    if(kernels)
        kernels_of(${kernels} selected)
    endif()
    file(CONFIGURE OUTPUT ${target}/built_in.h CONTENT "#define EACH_ISA(ISA, of)${rows}\n${selected}" @ONLY)
    set(sources ${PROJECT_SOURCE_DIR}/runtime/kernels/table.c
        ${PROJECT_SOURCE_DIR}/runtime/kernels/conv_table.c ${PROJECT_SOURCE_DIR}/runtime/ukernels/ukernels.c)
    add_library(${target} OBJECT ${sources})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include
        ${CMAKE_CURRENT_BINARY_DIR}/${target})
    target_link_libraries(${target} PRIVATE kiln_flags kiln_xnnpack)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    compile_small(${sources})
    compile_sections(${target})
endfunction()
