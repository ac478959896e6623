# Who may know whom (docs/architecture.md). One row a module:
#   <module>|<modules it may include, besides itself>
# Level order is top to bottom; a module may only name modules of rows above it, so a cycle cannot be written down.
# scripts/check_layers reads these rows too and compares them with every #include.
set(NEREID_LAYERS
  "common|"
  "proto|"
  "net|common"
  "observability|common"
  "memory|common"
  "tensor|common memory"
  "config|common memory tensor proto"
  "infer|common observability memory tensor config"
  "sched|common observability memory tensor config infer"
  "repository|common observability memory tensor config infer proto"
  "backend|common observability memory tensor config infer proto"
  "wire|common memory tensor config infer proto"
  "backends|common observability memory tensor config infer backend proto"
  "model|common observability memory tensor config infer backend sched repository proto"
  "server|common observability memory tensor config infer repository"
  "frontend|common observability memory tensor net infer server wire config proto"
  "assembly|common observability memory tensor config infer backend sched repository model server wire proto"
  "cli|common config server assembly frontend net"
)
