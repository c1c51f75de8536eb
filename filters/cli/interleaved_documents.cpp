#include "cli/interleaved_documents.hpp"

#include <algorithm>

namespace critpipe::filters {

class InterleavedDocuments::Document final : public Output {
 public:
  explicit Document(InterleavedDocuments& all) : Output{block_bytes / 4}, all_{all} {}
  std::string held;
  JsonSink* sink = nullptr;

  void fail(Error error) { error_ = std::move(error); }

 private:
  bool drain(const char* bytes, std::size_t size) override { return all_.take(*this, bytes, size); }
  InterleavedDocuments& all_;
};

InterleavedDocuments::InterleavedDocuments(Output& output, const Limits& limits) : output_{output}, limits_{limits} {}
InterleavedDocuments::~InterleavedDocuments() = default;

Output& InterleavedDocuments::open() { return open_.emplace_back(*this); }

void InterleavedDocuments::bind(Output& document, JsonSink& sink) { static_cast<Document&>(document).sink = &sink; }

bool InterleavedDocuments::take(Document& document, const char* bytes, std::size_t size) {
  if (!current_) make_current(document);
  if (current_ != &document) {
    document.held.append(bytes, size);
    held_bytes_ += size;
    return held_bytes_ <= held_documents_bytes || make_room(document);
  }
  output_.pass(std::as_bytes(std::span{bytes, size}));
  return output_.step() == Step::go;
}

// Too much is held: another document becomes current. Inside an entry the current one cannot pause; until it ends,
// what is held may grow to the limit.
bool InterleavedDocuments::make_room(Document& document) {
  if (!current_->sink || !current_->sink->pause()) {
    if (held_bytes_ <= limits_.waiting_json_bytes) return true;
    Error error{Reason::limit_json, {}, Error::nowhere, Error::nowhere, limits_.waiting_json_bytes};
    error.name = "what waits for the end of an interleaved entry";
    document.fail(std::move(error));
    return false;
  }
  (void)current_->flush();
  current_ = nullptr;
  write_complete();
  make_current(*std::ranges::max_element(open_, {}, [](const Document& one) { return one.held.size(); }));
  return output_.step() == Step::go;
}

void InterleavedDocuments::pause_current(Output& document) {
  if (current_ == &document) (void)make_room(*current_);
}

void InterleavedDocuments::write_complete() {
  for (const std::string& text : complete_) {
    output_.pass(std::as_bytes(std::span{text}));
    held_bytes_ -= text.size();
  }
  complete_.clear();
}

void InterleavedDocuments::make_current(Document& document) {
  current_ = &document;
  output_.pass(std::as_bytes(std::span{document.held}));
  held_bytes_ -= document.held.size();
  document.held = {};
}

Step InterleavedDocuments::close(Output& output) {
  auto& document = static_cast<Document&>(output);
  (void)document.flush();
  if (current_ == &document) {
    current_ = nullptr;
    write_complete();
  } else {
    complete_.push_back(std::move(document.held));
  }
  open_.remove_if([&](const Document& one) { return &one == &document; });
  return output_.step();
}

}  // namespace critpipe::filters
