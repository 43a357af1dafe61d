# A file of its own, as it needs provider 4 or later; the check by an older one leaves it out
module "storage_settings" {
  source = "../../modules/storage-settings"

  bucket = module.storage.bucket
}
