# Write OUT, a checksum of each view's own C, in the order of vl_views: NAME.c, NAME.h and NAME_*.c without comments and blanks. VIEWS are the
# paths of the NAME.c.
set(rows "")
foreach(view IN LISTS VIEWS)
  get_filename_component(dir ${view} DIRECTORY)
  get_filename_component(name ${view} NAME_WE)
  file(GLOB files ${dir}/${name}.c ${dir}/${name}.h ${dir}/${name}_*.c ${dir}/${name}_*.h)
  list(SORT files)
  set(text "")
  foreach(file IN LISTS files)
    file(READ ${file} one)
    # A list's separators and brackets would be taken for CMake's own.
    string(REGEX REPLACE "[][;]" "@" one "${one}")
    string(REGEX REPLACE "/[*]([^*]|[*]+[^*/])*[*]+/" "" one "${one}")
    string(REGEX REPLACE "[ \t\r\n]+" "" one "${one}")
    string(APPEND text "${one}")
  endforeach()
  string(SHA256 sum "${text}")
  string(APPEND rows "\t\"${sum}\", /* ${name} */\n")
endforeach()
file(WRITE ${OUT} "/* Made by services/view_sums.cmake. */
#include \"hq/fold/views.h\"

const char *const vl_view_sums[] = {
${rows}\tNULL,
};
")
