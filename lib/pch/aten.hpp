// Precompiled: ATen's headers take most of the time that a file of this library takes to compile.
#ifdef __cplusplus
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#endif
