# Tables of rows that are found, not listed: a row is a definition at the beginning of a line,
#   const TYPE TYPE_NAME = {
# and what is made of some sources is a header with a line ROW(NAME) for each in them. Adding a row touches
# its own file only, and none can be forgotten. The header is made anew when a source has changed, while
# building.
if(CMAKE_SCRIPT_MODE_FILE)
    set(lines)
    foreach(source IN LISTS SOURCES)
        file(STRINGS ${source} rows REGEX "^const ${TYPE} ${TYPE}_[a-z0-9_]+ =")
        foreach(row IN LISTS rows)
            string(REGEX REPLACE "^const ${TYPE} ${TYPE}_([a-z0-9_]+) =.*" "ROW(\\1)\n" line "${row}")
            string(APPEND lines "${line}")
        endforeach()
    endforeach()
    file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "${lines}" @ONLY) # writes what differs
    return()
endif()

set(KILN_ROWS ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "The script that finds rows")
# rows(TYPE SOURCE...): the header TYPE_rows.h in the folder of the build that belongs to this one. What
# includes it depends on the target TYPE_rows.
function(rows type)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${type}_rows.h)
    add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -DTYPE=${type} -DOUTPUT=${output} "-DSOURCES=${ARGN}" -P ${KILN_ROWS}
        DEPENDS ${ARGN} ${KILN_ROWS} VERBATIM)
    add_custom_target(${type}_rows DEPENDS ${output})
endfunction()
