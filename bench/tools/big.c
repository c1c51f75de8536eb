// A process with so much memory, of which a part compresses. It makes the file "ready" and sleeps.
//
//     big MIB
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char** argv) {
  const size_t count = ((size_t)atoi(argv[argc - 1]) << 20) / sizeof(long);
  unsigned long x = 88172645463325252UL, *words = malloc(count * sizeof *words);
  for (size_t i = 0; i < count; ++i) {
    if (i % 16 == 0) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    words[i] = x;
  }
  fclose(fopen("ready", "w"));
  for (;;) pause();
}
