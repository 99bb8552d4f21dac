# Stands in for Slicer's own CMake package in test_install.py: just enough of its macros to configure and install
# the extension's Python files where Slicer's put them.
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer/qt-scripted-modules")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer/qt-scripted-modules")
foreach(file IN ITEMS USE_FILE EXTENSION_GENERATE_CONFIG EXTENSION_CPACK)
  set(Slicer_${file} "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
endforeach()

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(arg "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file IN LISTS arg_SCRIPTS arg_RESOURCES)
    get_filename_component(folder "${file}" DIRECTORY)
    install(FILES "${file}" DESTINATION "${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${folder}")
  endforeach()
endfunction()
