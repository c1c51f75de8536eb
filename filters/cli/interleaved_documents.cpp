#include "cli/interleaved_documents.hpp"

#include <algorithm>

namespace critpipe::filters {

class Voices::Voice final : public Output {
 public:
  explicit Voice(Voices& all) : Output{block_bytes / 4}, all_{all} {}
  std::string held;
  JsonSink* sink = nullptr;

  void refuse(Error error) { error_ = std::move(error); }

 private:
  bool drain(const char* bytes, std::size_t size) override { return all_.take(*this, bytes, size); }
  Voices& all_;
};

Voices::Voices(Output& output, const Limits& limits) : output_{output}, limits_{limits} {}
Voices::~Voices() = default;

Output& Voices::open() { return voices_.emplace_back(*this); }

void Voices::bind(Output& voice, JsonSink& sink) { static_cast<Voice&>(voice).sink = &sink; }

bool Voices::take(Voice& voice, const char* bytes, std::size_t size) {
  if (!speaker_) let_speak(voice);
  if (speaker_ != &voice) {
    voice.held.append(bytes, size);
    held_bytes_ += size;
    return held_bytes_ <= held_documents_bytes || make_room(voice);
  }
  output_.pass(std::as_bytes(std::span{bytes, size}));
  return output_.step() == Step::go;
}

// Too much is held: another speaks. Where the speaker is in the midst of an entry that has to be borne for a while.
bool Voices::make_room(Voice& voice) {
  if (!speaker_->sink || !speaker_->sink->pause()) {
    if (held_bytes_ <= limits_.waiting_json_bytes) return true;
    Error error{Reason::limit_json, {}, Error::nowhere, Error::nowhere, limits_.waiting_json_bytes};
    error.name = "what waits for the end of an interleaved entry";
    voice.refuse(std::move(error));
    return false;
  }
  (void)speaker_->flush();
  speaker_ = nullptr;
  write_complete();
  let_speak(*std::ranges::max_element(voices_, {}, [](const Voice& one) { return one.held.size(); }));
  return output_.step() == Step::go;
}

void Voices::at_border(Output& voice) {
  if (speaker_ == &voice) (void)make_room(*speaker_);
}

void Voices::write_complete() {
  for (const std::string& text : complete_) {
    output_.pass(std::as_bytes(std::span{text}));
    held_bytes_ -= text.size();
  }
  complete_.clear();
}

void Voices::let_speak(Voice& voice) {
  speaker_ = &voice;
  output_.pass(std::as_bytes(std::span{voice.held}));
  held_bytes_ -= voice.held.size();
  voice.held = {};
}

Step Voices::close(Output& output) {
  auto& voice = static_cast<Voice&>(output);
  (void)voice.flush();
  if (speaker_ == &voice) {
    speaker_ = nullptr;
    write_complete();
  } else {
    complete_.push_back(std::move(voice.held));
  }
  voices_.remove_if([&](const Voice& one) { return &one == &voice; });
  return output_.step();
}

}  // namespace critpipe::filters
