#include "net/http_request.h"

#include "net/text.h"

namespace nereid {

const HttpHeader* HttpRequest::Find(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (EqualsIgnoreCase(header.name, name)) return &header;
  }
  return nullptr;
}

std::string_view HttpRequest::Header(std::string_view name) const {
  const HttpHeader* header = Find(name);
  return header == nullptr ? std::string_view() : header->value;
}

}  // namespace nereid
