// stratis-str-cmp A B: prints 0 when the two strings are the same bytes, else 1; for udev's PROGRAM and RESULT.
//
// udev's rule language compares a property with a fixed pattern only, never with another property. The exit status
// says whether a comparison was made, not how it ended.

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "stratis-str-cmp: two strings to compare are needed, %d given\n", argc < 2 ? 0 : argc - 1);
    return 1;
  }
  const char* answer = std::strcmp(argv[1], argv[2]) == 0 ? "0\n" : "1\n";
  if (std::fputs(answer, stdout) < 0 || std::fflush(stdout) != 0) {
    std::perror("stratis-str-cmp: writing the answer to standard output");
    return 1;
  }
  return 0;
}
