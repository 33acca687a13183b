// Restricts clang-tidy's checks to our own declarations.
//
// clang-tidy 14 runs its checks on everything that a source includes, then drops the findings in
// system headers. This took 17 of the 21 seconds of CPU time for a source of the server. With this
// plugin it still parses all headers, but checks only our own declarations, and reports the same
// findings.
#include <memory>
#include <string>
#include <vector>

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/ASTContext.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendPluginRegistry.h"

namespace quantd {
namespace {

class ScopeConsumer : public clang::ASTConsumer {
 public:
  void HandleTranslationUnit(clang::ASTContext& context) override {
    const clang::SourceManager& sources = context.getSourceManager();
    std::vector<clang::Decl*> own;
    for (clang::Decl* declaration : context.getTranslationUnitDecl()->decls()) {
      const clang::SourceLocation location = declaration->getLocation();
      if (location.isValid() && !sources.isInSystemHeader(location)) own.push_back(declaration);
    }
    context.setTraversalScope(own);
  }
};

class ScopeAction : public clang::PluginASTAction {
 protected:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance& /*compiler*/,
                                                        llvm::StringRef /*source*/) override {
    return std::make_unique<ScopeConsumer>();
  }

  bool ParseArgs(const clang::CompilerInstance& /*compiler*/,
                 const std::vector<std::string>& /*arguments*/) override {
    return true;
  }

  // clang-tidy's checks are the main action.
  ActionType getActionType() override { return AddBeforeMainAction; }
};

const clang::FrontendPluginRegistry::Add<ScopeAction> kRegistration(
    "clang-tidy-scope", "matches in our own declarations alone");

}  // namespace
}  // namespace quantd
