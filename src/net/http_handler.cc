#include "net/http_handler.h"

#include "common/strings.h"

namespace nereid {

HttpResponse HttpHandler::BodyTooLarge(const HttpRequest&, uint64_t size, uint64_t limit) {
  return MakeErrorResponse(
      413, StrCat("request body of ", size, " bytes exceeds the maximum of ", limit, " bytes"));
}

}  // namespace nereid
