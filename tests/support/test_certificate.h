#pragma once

namespace nereid::testing {

// A key and its certificate for "localhost", signed by itself. Made for the tests; guards nothing.
inline constexpr char kTestKey[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzIE66hJ/aYS1DLPs
TUG5I/q9gBba/xQ0xo13cqsP6eahRANCAAQJMOH6C95bohgpcLRwWoywYjGLlzBz
nAiX+E0XqSPz9BiKnQ4KiePZZla4UCsQGV+AIK6efNOBV4ogScBlhuuJ
-----END PRIVATE KEY-----
)";

inline constexpr char kTestCertificate[] = R"(-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUY9CQqDabzzMoyPs7FSBBRhr67lwwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEzMDQ0NFoYDzIxMjYxMDI4
MTMwNDQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQJMOH6C95bohgpcLRwWoywYjGLlzBznAiX+E0XqSPz9BiKnQ4KiePZ
Zla4UCsQGV+AIK6efNOBV4ogScBlhuuJo28wbTAdBgNVHQ4EFgQUHPWWFTTb2Akw
1zeIRRq+SeuPJp8wHwYDVR0jBBgwFoAUHPWWFTTb2Akw1zeIRRq+SeuPJp8wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhANkF9uvvOQZ7nvgPDLWo3LySZqXkZf9h5WfYQHieazZUAiAY
JkOQ0+GSD41schXoaY4EknLF2XJFk2pvIhUnugBpyA==
-----END CERTIFICATE-----
)";

}  // namespace nereid::testing
