output "public_ips" {
  description = "The addresses from which the mail server sees the services."
  value       = [for address in aws_eip.this : address.public_ip]
}
