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
  if (argc == 3 && (is_wrong(patterns.add({argv[2], PatternText::Form::literal})) || is_wrong(patterns.compile())))
    return 2;
  bool wrong = false;
  CheckpointMemory memory{{argv[1]}, {}, [&](const Error& error) { wrong |= is_wrong(error); }};
  for (const Process& process : memory.processes()) {
    const Task* task = process.task;
    const std::string state{name_of(task->state)};
    std::printf("%u %s, %s\n", task->pid, task->comm.c_str(), state.c_str());
    std::vector<std::string> texts;
    wrong |= is_wrong(memory.arguments(process, texts));
    print("arguments", texts);
    wrong |= is_wrong(memory.environment(process, texts));
    print("environment", texts);
    if (argc != 3) continue;
    Search search{patterns, 0, [](const Found& found) {
                    std::printf("  found at 0x%" PRIx64 "\n", found.address);
                    return Step::go;
                  }};
    wrong |= is_wrong(search_memory(memory, process, search));
  }
  return wrong ? 2 : 0;
}
