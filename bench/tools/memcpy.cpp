// bench-memcpy BYTES: copies that many bytes in blocks of 256 KiB out of 8 MiB; the bound of what writes them once.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: bench-memcpy BYTES\n", stderr), 2;
  constexpr std::size_t block = 256 << 10;
  std::vector<char> from(8 << 20, 'x');
  std::vector<char> to(block);
  std::size_t at = 0;
  for (unsigned long long left = std::strtoull(argv[1], nullptr, 10); left > 0;) {
    const auto piece = static_cast<std::size_t>(std::min<unsigned long long>(left, block));
    std::memcpy(to.data(), from.data() + at, piece);
    asm volatile("" : : "r"(to.data()) : "memory");  // or the copy would be left out
    at = (at + block) % from.size();
    left -= piece;
  }
  return 0;
}
