// Which inputs are read together.
#include <map>

#include "source/input_form.hpp"

namespace critpipe {

namespace {

// The neighbours that the next input may continue.
class Run {
 public:
  bool continues(OpenedInput& next, bool is_pipe) const {
    if (is_pipe) return has_pipe_ || !known_.empty();
    if (!known_.empty()) return known_.front().form->continues(known_, next);
    return has_pipe_ && ((next.form && next.form->continues) || (next.reader && next.reader->peek(1).empty()));
  }
  void add(OpenedInput next, bool is_pipe) {
    has_pipe_ |= is_pipe;
    const bool may_go_on = !known_.empty() || (next.form && next.form->continues);
    if (!is_pipe && may_go_on) known_.push_back(std::move(next));
  }

 private:
  std::vector<OpenedInput> known_;
  bool has_pipe_ = false;
};

}  // namespace

std::vector<InputGroup> group_inputs(const std::vector<std::string>& inputs, const SourceOptions& options) {
  std::vector<InputGroup> groups;
  std::map<std::string, std::size_t, std::less<>> of_part;
  Run run;
  for (InputName& name : name_inputs(inputs)) {
    const bool is_pipe = !can_read_again(name.input, options);
    OpenedInput opened{name};
    if (inputs.size() > 1 && !is_pipe) opened = open_input(name, options);
    std::size_t to = groups.size();
    if (const std::string part = opened.form && opened.form->part_of ? opened.form->part_of(opened) : ""; !part.empty())
      to = of_part.try_emplace(part, to).first->second;
    if (!groups.empty() && run.continues(opened, is_pipe)) to = groups.size() - 1;
    else run = {};
    run.add(std::move(opened), is_pipe);
    if (to == groups.size()) groups.emplace_back();
    groups[to].inputs.push_back(name.input);
    groups[to].names.push_back(std::move(name));
  }
  return groups;
}

}  // namespace critpipe
