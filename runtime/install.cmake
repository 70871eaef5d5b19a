# What is installed, in three components: runtime (the shared library), development (headers, static
# libraries, CMake's and pkg-config's files), tools (the command). Nothing in the files names a folder of
# the machine at hand: the installed tree may be moved.
include(CMakePackageConfigHelpers)
set(KILN_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/kiln)

# Headers of what was built.
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/kiln/*.h ${PROJECT_SOURCE_DIR}/include/kiln/*.hpp)
set(absent "")
if(NOT KILN_BUILD_TRAINING)
    list(APPEND absent train)
endif()
if(NOT KILN_BUILD_TUNING)
    list(APPEND absent tune)
endif()
if(NOT KILN_BUILD_PEOPLE)
    list(APPEND absent people)
endif()
if(NOT KILN_BUILD_IMAGE)
    list(APPEND absent answer image)
endif()
if(NOT (KILN_BUILD_IMAGE AND KILN_BUILD_FACES))
    list(APPEND absent faces)
endif()
if(NOT (KILN_BUILD_IMAGE AND KILN_BUILD_FACES AND KILN_BUILD_PEOPLE))
    list(APPEND absent namer)
endif()
if(NOT KILN_BUILD_COMPILER)
    list(APPEND absent compile)
endif()
foreach(name IN LISTS absent)
    list(FILTER headers EXCLUDE REGEX "/${name}\\.(h|hpp)$")
endforeach()
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kiln COMPONENT development)

install(TARGETS kiln kiln_shared EXPORT kiln-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
if(KILN_BUILD_COMPILER)
    install(TARGETS kilnc EXPORT kiln-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
endif()
install(EXPORT kiln-targets NAMESPACE kiln:: DESTINATION ${KILN_CMAKE_FOLDER} COMPONENT development)

# Parts that find_package can ask for, COMPONENTS in small letters.
set(KILN_PARTS "")
foreach(part COMPILER TRAINING TUNING PEOPLE IMAGE FACES)
    if(KILN_BUILD_${part})
        string(TOLOWER ${part} name)
        list(APPEND KILN_PARTS ${name})
    endif()
endforeach()
# The libraries by their names: folders are those of the machine where Kiln is used.
set(KILN_NEEDS "")
set(KILN_PC_LIBRARIES "")
foreach(library IN LISTS XNNPACK_LIBRARY XNNPACK_PARTS PTHREADPOOL_LIBRARY)
    if(library)
        get_filename_component(name ${library} NAME_WE)
        string(REGEX REPLACE "^lib" "" name ${name})
        list(APPEND KILN_NEEDS ${name})
        string(APPEND KILN_PC_LIBRARIES "-l${name} ")
    endif()
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/runtime/kiln-config.cmake.in
    ${PROJECT_BINARY_DIR}/kiln-config.cmake INSTALL_DESTINATION ${KILN_CMAKE_FOLDER}
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# While MAJOR is 0, MINOR stands for both (see CONTRIBUTING, Versions).
set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(compatibility SameMinorVersion)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kiln-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY ${compatibility})
install(FILES ${PROJECT_BINARY_DIR}/kiln-config.cmake ${PROJECT_BINARY_DIR}/kiln-config-version.cmake
    DESTINATION ${KILN_CMAKE_FOLDER} COMPONENT development)

# pkg-config's files find their folders from where they lie.
file(RELATIVE_PATH KILN_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(packages kiln)
if(KILN_BUILD_COMPILER)
    list(APPEND packages kiln-compiler)
endif()
foreach(name IN LISTS packages)
    configure_file(${PROJECT_SOURCE_DIR}/runtime/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)
endforeach()
