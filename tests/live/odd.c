// odd: names that are no good text: comm, files, memfd, arguments, environment with control characters, quotes,
// backslashes and bytes that are not UTF-8.
#include "live.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char* const names[] = {
    "new\nline",   "tab\there",   "quote\"and\\back",       "bytes \377\376 end", "cut \xe2\x82",
    "caf\xc3\xa9", "esc\033[31m", "emoji \xf0\x9f\xa6\x80", "nul-like \\u0000",   "del\177",
};
enum { count = sizeof names / sizeof *names };

int main(int argc, char** argv) {
  if (argc == 1) {
    char* arguments[] = {"odd \377 name", "two\nlines", "", NULL};
    char* environment[] = {"ODD=\"\\\n\377", "EMPTY=", "NOVALUE", NULL};
    must(execve("/proc/self/exe", arguments, environment));
  }
  (void)argv;
  for (int i = 0; i < count; i++) {
    int fd = (int)must(open(names[i], O_CREAT | O_TRUNC | O_RDWR, 0600));
    must(write(fd, names[i], strlen(names[i])));
  }
  int fd = (int)must(open("\377gone\n", O_CREAT | O_TRUNC | O_RDWR, 0600));
  must(write(fd, "a ghost with an odd name", 24));
  must(unlink("\377gone\n"));

  int memfd = (int)must(memfd_create("mem\377\n\"fd\"", 0));
  must(ftruncate(memfd, PAGE));
  must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memfd, 0) == MAP_FAILED ? -1 : 0);

  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "sock\377\"et"};
  fd = (int)must(socket(AF_UNIX, SOCK_DGRAM, 0));
  must(bind(fd, (struct sockaddr*)&name, sizeof name));

  must(mkdir("dir \xf0\x28", 0700));
  must(chdir("dir \xf0\x28"));
  if (must(fork()) == 0) {
    must(prctl(PR_SET_NAME, "c\n\"\\\377\t\001"));
    sleep_forever();
  }
  must(prctl(PR_SET_NAME, "\xe2\x82\xac 5, \xe2\x82\xac 50.\xe2"));
  sleep(1);
  must(chdir(".."));
  ready();
  must(chdir("dir \xf0\x28"));
  sleep_forever();
}
