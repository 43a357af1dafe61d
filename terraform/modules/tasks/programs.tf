# The three services, and the commands of the operator, which are in the image of importer-api
locals {
  programs = {
    importer-api     = { image = var.images["importer-api"], port = 8000, command = "importer-api", stop_seconds = 15 }
    billing-worker   = { image = var.images["billing-worker"], port = 8001, command = "billing-worker", stop_seconds = 15 }
    send-mail-worker = { image = var.images["send-mail-worker"], port = 8002, command = "send-mail-worker", stop_seconds = 30 }
    operator         = { image = var.images["importer-api"], port = null, command = "operator", stop_seconds = 15 }
  }

  folder = "/etc/billing"

  logs = {
    for program, group in aws_cloudwatch_log_group.this : program => {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = group.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = program
      }
    }
  }

  # Nothing on the disk of a container can be changed, and root's rights are gone
  locked = {
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"], add = [] } }
  }

  # Writes `files` into a volume before the program starts: a task has no other way to get a file
  writers = {
    for program, about in local.programs : program => merge(local.locked, {
      name             = "files"
      image            = about.image
      essential        = false
      user             = "0:0"
      entryPoint       = ["sh", "-euc"]
      command          = [join("; ", [for index, name in sort(keys(var.files)) : "printf '%s' \"$FILE_${index}\" > ${local.folder}/${name}"])]
      environment      = [for index, name in sort(keys(var.files)) : { name = "FILE_${index}", value = var.files[name] }]
      mountPoints      = [{ sourceVolume = "files", containerPath = local.folder, readOnly = false }]
      logConfiguration = local.logs[program]
    })
  }

  runners = {
    for program, about in local.programs : program => merge(
      local.locked,
      {
        name             = program
        image            = about.image
        essential        = true
        entryPoint       = [about.command]
        environment      = [for name, value in var.environment[program] : { name = name, value = value }]
        secrets          = [for name, arn in var.secrets[program] : { name = name, valueFrom = arn }]
        stopTimeout      = about.stop_seconds
        ulimits          = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
        logConfiguration = local.logs[program]
      },
      # As conditional objects would have to be alike
      { for key, value in {
        portMappings = [{ containerPort = about.port, hostPort = about.port, protocol = "tcp" }]
        # The program asks its own /health
        healthCheck = { command = ["CMD", about.command, "health"], interval = 10, timeout = 5, retries = 3, startPeriod = 30 }
      } : key => value if about.port != null },
      { for key, value in {
        dependsOn   = [{ containerName = "files", condition = "SUCCESS" }]
        mountPoints = [{ sourceVolume = "files", containerPath = local.folder, readOnly = true }]
      } : key => value if length(var.files) > 0 },
    )
  }
}
