// The report of an inspection as people read it. Internal.
#pragma once

#include "report/inspection_work.hpp"

namespace critpipe {

std::string padded(std::string text, std::size_t columns);
std::string with_commas(std::uint64_t number);
std::string milliseconds(std::uint64_t microseconds);
std::string plural_processes(const Inspection& all);

class Report {
 public:
  Report(Output& output, const Inspection& inspection, const InspectionText& options)
      : output_{output}, all_{inspection}, options_{options} {}
  void print();

 private:
  using Section = InspectionText::Section;
  static constexpr std::size_t label_columns = 11;

  // Rows of the sections on the screen that is shown by default.
  struct Limits {
    std::size_t processes = 12, sockets = 12, files = 12, attention = 12;
  };
  // Shortens them, the longest first, until everything fits below `used` rows.
  void fit(std::size_t used);
  void summary();
  bool is_shown(const InspectedFile& file) const;

  bool is_brief() const { return options_.sections == 0; }
  bool has(Section section) const { return options_.sections & section; }
  void line(const std::string& text);
  void field(const char* label, const std::string& text);
  void fact(const char* label, std::string text);  // goes on in a second line where it is too long
  // Text for a line with a label, which ends with the option that prints it whole where it is too long.
  std::string fitted(const std::string& text, const char* option) const;
  std::vector<Attention> shown_attention() const;
  void rest(std::size_t left, const char* option, std::size_t indent = label_columns);
  void head(const char* title) {
    if (!is_brief()) output_.write(std::string{"\n"} + title + "\n");
  }
  std::string owners_text(const std::vector<Owner>& owners) const;
  bool is_shown(const std::vector<Owner>& owners) const;

  void title();
  void container();
  void times();
  void sizes();
  void processes();
  void sockets();
  void files();
  void mounts();
  void namespaces();
  void rights();
  void attention();
  void memory();
  void statistics();
  void configuration();
  void environment();
  std::string process_row(const InspectedProcess& process, const std::string& branch) const;
  std::vector<const InspectedSocket*> shown_sockets() const;
  std::string socket_row(const InspectedSocket& socket) const;

  Output& output_;
  const Inspection& all_;
  const InspectionText& options_;
  Limits limits_ = {};
};

}  // namespace critpipe
