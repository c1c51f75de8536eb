// processes INPUT [TEXT]: command line and environment of each process, and where its memory has the text.
#include <critpipe/memory.hpp>
#include <critpipe/search.hpp>

#include <cinttypes>
#include <cstdio>

using namespace critpipe;

namespace {

void print(const char* label, const std::vector<std::string>& texts) {
  std::printf("  %s", label);
  for (const std::string& text : texts) std::printf(" '%s'", text.c_str());
  std::printf("\n");
}

bool is_wrong(const Error& error) {
  if (error) std::fprintf(stderr, "processes: %s\n", to_string(error).c_str());
  return static_cast<bool>(error);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  Patterns patterns;
  if (argc == 3 && (is_wrong(patterns.add({argv[2], PatternText::Syntax::literal})) || is_wrong(patterns.compile())))
    return 2;
  bool wrong = false;
  CheckpointMemory memory{{argv[1]}, {}, [&](const Error& error) { wrong |= is_wrong(error); }};
  if (memory.processes().empty()) return 2;
  for (const auto& [task, depth] : memory.processes().front().checkpoint->tree()) {
    const std::string state{name_of(task->state)};
    std::printf("%u %s, %s, level %zu\n", task->pid, task->comm.c_str(), state.c_str(), depth);
    std::vector<std::string> texts;
    std::vector<std::string> environment;
    const Process* process = memory.find_process(task->pid);
    wrong |=
        process && (is_wrong(memory.arguments(*process, texts)) || is_wrong(memory.environment(*process, environment)));
    print("arguments", texts);
    print("environment", environment);
    if (argc != 3 || !process) continue;
    Search search{patterns, 0, [](const Match& found) {
                    std::printf("  found at 0x%" PRIx64 "\n", found.address);
                    return Step::go;
                  }};
    wrong |= is_wrong(search_memory(memory, *process, search));
  }
  return wrong ? 2 : 0;
}
