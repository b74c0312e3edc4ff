# What is installed, and the Debian package: ./dev deb. The manual page of eddyctl and its completions come from eddyctl
# itself, so they are as it is.
set(package_dir ${CMAKE_BINARY_DIR}/package)
set(package_files)

# package_output(FILE COMMAND..): a file made of what the command prints, compressed where its name ends so.
function(package_output file)
  set(path ${package_dir}/${file})
  string(REPLACE ";" " " command "${ARGN}")
  if(file MATCHES "\\.gz$")
    set(line "$<TARGET_FILE:eddyctl> ${command} | gzip -9n >${path}")
  else()
    set(line "$<TARGET_FILE:eddyctl> ${command} >${path}")
  endif()
  add_custom_command(OUTPUT ${path} COMMAND ${CMAKE_COMMAND} -E make_directory ${package_dir}
    COMMAND bash -o pipefail -c ${line} DEPENDS eddyctl VERBATIM)
  set(package_files ${package_files} ${path} PARENT_SCOPE)
endfunction()

package_output(eddyctl.1.gz man)
package_output(eddyctl.bash completion bash)
package_output(_eddyctl completion zsh)
package_output(eddyctl.fish completion fish)
add_custom_command(OUTPUT ${package_dir}/eddyd.8.gz
  COMMAND ${CMAKE_COMMAND} -E make_directory ${package_dir}
  COMMAND bash -c "gzip -9n <${CMAKE_SOURCE_DIR}/packaging/eddyd.8 >${package_dir}/eddyd.8.gz"
  DEPENDS ${CMAKE_SOURCE_DIR}/packaging/eddyd.8 VERBATIM)
list(APPEND package_files ${package_dir}/eddyd.8.gz)
add_custom_target(package_files ALL DEPENDS ${package_files})

# Installing builds nothing, tests least of all.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY TRUE)
install(TARGETS eddyd eddyctl RUNTIME DESTINATION bin)
install(FILES packaging/eddyd.service DESTINATION lib/systemd/system)
install(FILES packaging/eddy.toml DESTINATION /etc/eddy)
install(FILES ${package_dir}/eddyctl.1.gz DESTINATION share/man/man1)
install(FILES ${package_dir}/eddyd.8.gz DESTINATION share/man/man8)
install(FILES ${package_dir}/eddyctl.bash DESTINATION share/bash-completion/completions RENAME eddyctl)
install(FILES ${package_dir}/_eddyctl DESTINATION share/zsh/vendor-completions)
install(FILES ${package_dir}/eddyctl.fish DESTINATION share/fish/vendor_completions.d)
install(FILES README.md LICENSE docker/alerts.yml docker/grafana.json DESTINATION share/doc/eddy)
install(FILES LICENSE DESTINATION share/doc/eddy RENAME copyright)
install(DIRECTORY docs DESTINATION share/doc/eddy FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME eddy)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Eddy maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "leaderless, always-writable key-value store")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Every key lives on several nodes, any node takes any request, and concurrent writes are
kept as siblings. It speaks the Redis protocol, HTTP and one of its own.")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# For useradd, in postinst.
set(CPACK_DEBIAN_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
foreach(script conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/${script})
endforeach()
set(CPACK_STRIP_FILES ON)
# The configuration is outside of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
include(CPack)
