# Manual pages and completion, by the command itself: kiln(1), one of each command, and a file a shell.
#   cmake -DKILN=COMMAND -DOUTPUT=FOLDER -P manuals.cmake
function(generate file)
    execute_process(COMMAND ${KILN} ${ARGN} OUTPUT_FILE ${OUTPUT}/${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUTPUT})
file(MAKE_DIRECTORY ${OUTPUT}/man1)
execute_process(COMMAND ${KILN} help OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n  [a-z]+  +[a-z]" lines "${help}")
generate(man1/kiln.1 help --man)
foreach(line IN LISTS lines)
    string(REGEX REPLACE "\n  ([a-z]+) .*" "\\1" name "${line}")
    generate(man1/kiln-${name}.1 help --man ${name})
endforeach()
generate(kiln help --completion bash)
generate(_kiln help --completion zsh)
generate(kiln.fish help --completion fish)
