#include "command_line/manual_page.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "command_line/flag.h"

namespace quantd::command_line {
namespace {

// Escapes `text` for roff. Characters that roff would read as commands or replace
// by typographic ones are written by name, and "…" becomes three dots because not
// every terminal can show it.
std::string Escaped(absl::string_view text) {
  std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\e"},
                                                   {"-", "\\-"},
                                                   {"'", "\\(aq"},
                                                   {"`", "\\(ga"},
                                                   {"^", "\\(ha"},
                                                   {"~", "\\(ti"},
                                                   {"\"", "\\(dq"},
                                                   {"…", "..."},
                                                   {"\n", " "}});
  return absl::StartsWith(escaped, ".") ? "\\&" + escaped : escaped;
}

std::string Bold(const std::string& text) { return absl::StrCat("\\fB", Escaped(text), "\\fR"); }
std::string Italic(const std::string& text) { return absl::StrCat("\\fI", Escaped(text), "\\fR"); }

void AppendSection(const std::string& title, std::string* page) {
  absl::StrAppend(page, ".SH \"", Escaped(title), "\"\n");
}

// Appends each line of `text` as a paragraph; the first follows a heading.
void AppendParagraphs(const std::string& text, std::string* page) {
  const std::vector<absl::string_view> paragraphs = absl::StrSplit(text, '\n', absl::SkipEmpty());
  absl::StrAppend(page,
                  absl::StrJoin(paragraphs, "\n.PP\n",
                                [](std::string* out, absl::string_view paragraph) {
                                  out->append(Escaped(paragraph));
                                }),
                  "\n");
}

// Appends a tagged paragraph. `tag` is in roff, `text` is plain.
void AppendTagged(const std::string& tag, const std::string& text, std::string* page) {
  absl::StrAppend(page, ".TP\n", tag, "\n", Escaped(text), "\n");
}

void AppendEntries(const std::vector<ManualEntry>& entries, std::string* page) {
  for (const ManualEntry& entry : entries) {
    if (!entry.tag.empty()) {
      AppendTagged(Bold(entry.tag), entry.text, page);
      continue;
    }
    if (&entry != &entries.front()) {
      page->append(".PP\n");
    }
    AppendParagraphs(entry.text, page);
  }
}

std::string TagOf(const Flag& flag) {
  std::string tag = absl::StrJoin(
      flag.names, ", ", [](std::string* out, const std::string& name) { out->append(Bold(name)); });
  if (flag.value == Flag::Value::kOptional) {
    // Shows "[SHARE]" as "[=SHARE]": an optional value is only read after '='.
    absl::StrAppend(&tag, "[=", Italic(flag.value_name.substr(1, flag.value_name.size() - 2)), "]");
  } else if (flag.value != Flag::Value::kNone) {
    absl::StrAppend(&tag, " ", Italic(flag.value_name));
  }
  return tag;
}

std::string TextOf(const Flag& flag) {
  std::string text = flag.description;
  if (!absl::EndsWith(text, ".")) {
    text.push_back('.');
  }
  if (flag.is_required) {
    text.append(" Required.");
  }
  if (!flag.default_value.empty()) {
    absl::StrAppend(&text, " Default: ", flag.default_value, ".");
  }
  if (!flag.environment_variable.empty()) {
    absl::StrAppend(&text, " Environment: ", flag.environment_variable, ".");
  }
  return text;
}

void AppendFlags(const CLI::App& app, std::string* page) {
  for (const Flag& flag : FlagsOf(app)) {
    AppendTagged(TagOf(flag), TextOf(flag), page);
  }
}

void AppendCommands(const CLI::App& app, std::string* page) {
  const std::vector<const CLI::App*> commands = CommandsOf(app);
  if (commands.empty()) {
    return;
  }
  AppendSection("COMMANDS", page);
  for (const CLI::App* command : commands) {
    absl::StrAppend(page, ".SS \"", Escaped(command->get_name()), "\"\n");
    AppendParagraphs(command->get_description() + ".", page);
    AppendFlags(*command, page);
  }
}

void AppendEnvironment(const CLI::App& app, const ManualText& text, std::string* page) {
  std::vector<ManualEntry> variables;
  for (const Flag& flag : FlagsOf(app)) {
    if (!flag.environment_variable.empty()) {
      variables.push_back(
          {.tag = flag.environment_variable,
           .text = absl::StrCat("Sets ", flag.names.back(), " unless the command line does.")});
    }
  }
  variables.insert(variables.end(), text.environment.begin(), text.environment.end());
  if (!variables.empty()) {
    AppendSection("ENVIRONMENT", page);
    AppendEntries(variables, page);
  }
}

}  // namespace

std::string FormatManualPage(const CLI::App& app, const ManualText& text) {
  const std::string& name = app.get_name();
  std::string page = absl::StrCat(
      R"(.\" Generated by: )", name, " --manual-page\n.TH ", absl::AsciiStrToUpper(name),
      R"( 1 "" ")", Escaped(absl::StrCat(name, " ", text.version)), "\" \"User Commands\"\n");
  AppendSection("NAME", &page);
  absl::StrAppend(&page, Escaped(name), " \\- ", Escaped(text.summary), "\n");
  AppendSection("SYNOPSIS", &page);
  absl::StrAppend(&page, Bold(name), " [", Italic("OPTION"), "]...");
  if (!CommandsOf(app).empty()) {
    absl::StrAppend(&page, " ", Italic("COMMAND"), " [", Italic("OPTION"), "]...");
  }
  page.push_back('\n');
  AppendSection("DESCRIPTION", &page);
  AppendParagraphs(app.get_description(), &page);
  AppendSection("OPTIONS", &page);
  AppendFlags(app, &page);
  AppendCommands(app, &page);
  AppendEnvironment(app, text, &page);
  for (const ManualSection& section : text.sections) {
    AppendSection(section.title, &page);
    AppendEntries(section.entries, &page);
  }
  return page;
}

}  // namespace quantd::command_line
